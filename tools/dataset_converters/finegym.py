"""Lists of FineGym: gym99_train.txt and gym99_val.txt, or those of Gym288; SEVERE's FX-S1 and UB-S1 are parts of Gym99.

Reads the official lists of elements, or those of SEVERE with or without _org, whose lines are
<youtube id>_E_<start>_<end>_A_<start>_<end> and a label. The videos are cut to the elements and called like this.

With finegym_annotation_info_v1.0.json, or a later one, beside the lists, it also writes <list>_cuts.csv, which says
where in the whole videos the elements are, and <list>_unannotated.txt, if some are not in the JSON file. --full-videos
cuts those that are not there yet out of whole videos called <youtube id>; after an interruption it goes on.

Examples::

    python tools/dataset_converters/finegym.py data/gym --annotations data/gym/annotations
    python tools/dataset_converters/finegym.py data/gym --full-videos data/gym_youtube
"""

from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.finegym import Element, read_finegym, write_cuts
from mmsigma.datasets.lists import (
    Split,
    converter_parser,
    index_videos,
    match_files,
    one_file,
    read_lines,
    run_converter,
)
from mmsigma.datasets.video_dataset import VIDEO_SUFFIXES
from mmsigma.utils.cutting import cut_video

SIZES = {'gym99': {'train': 20_484, 'val': 8_521}, 'gym288': {'train': 22_671, 'val': 9_646}}
JSON = 'finegym_annotation_info*.json'


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    out: Path = args.out or args.root
    wanted = {f'{args.setting}_{part}': read_list(args, f'{args.setting}_{part}') for part in SIZES[args.setting]}
    if args.full_videos or list(args.annotations.glob(JSON)):
        elements = read_finegym(one_file(args.annotations, JSON))
        out.mkdir(parents=True, exist_ok=True)
        for name, entries in wanted.items():
            report_unannotated(out, name, write_cuts(out / f'{name}_cuts.csv', [key for key, _ in entries], elements))
        if args.full_videos:
            names = [key for entries in wanted.values() for key, _ in entries]
            cut_elements(args, {name: elements[name] for name in names if name in elements})
    videos = index_videos(args.root, args.videos)
    sizes = SIZES[args.setting].values()
    splits = [match_files(*item, videos.get, size) for item, size in zip(wanted.items(), sizes, strict=True)]
    if args.class_names:
        return splits, read_lines(args.class_names)
    return splits, [str(label) for label in range(int(args.setting.removeprefix('gym')))]


def read_list(args: Namespace, name: str) -> list[tuple[str, int]]:
    """Names and labels of a list.

    Raises:
        ValueError: If the list is where the new one goes, or a line is not understood.
    """
    source = one_file(args.annotations, f'{name}_org.txt', f'{name}.txt', f'{name}_element*.txt')
    if source.resolve() == ((args.out or args.root) / f'{name}.txt').resolve():
        raise ValueError(f'{source} would be overwritten: move it to another folder, or give --out')
    return read_elements(source)


def report_unannotated(out: Path, name: str, names: list[str]) -> None:
    """Say and write which elements of a list the JSON file does not have."""
    path = out / f'{name}_unannotated.txt'
    if not names:
        path.unlink(missing_ok=True)  # of an earlier run
        return
    path.write_text(''.join(f'{line}\n' for line in names), encoding='utf-8')
    print(f'{name}: {len(names):,} elements are not in the annotation, listed in {path.name}')


def cut_elements(args: Namespace, elements: dict[str, Element]) -> None:
    """Cut elements out of whole videos, into the folder of the videos; those that are there are left as they are."""
    folder = args.root / (args.videos or 'videos')
    present = {path.stem for path in folder.rglob('*') if path.suffix.lower() in VIDEO_SUFFIXES}
    whole = index_videos(args.full_videos)
    failed = []
    for name, element in elements.items():
        if name in present or element.video not in whole:
            continue
        source = args.full_videos / whole[element.video]
        try:
            cut_video(source, folder / f'{name}.mp4', element.start, element.end, short_side=args.short_side)
        except (OSError, ValueError) as error:  # a video that is damaged or shorter than annotated
            failed.append(str(error))
    lost = {element.video for element in elements.values()} - whole.keys()
    print(
        f'{len(lost):,} whole videos are missing, {len(failed):,} elements could not be cut', *failed[:10], sep='\n  '
    )


def read_elements(path: Path) -> list[tuple[str, int]]:
    """Names without ending, and labels.

    Raises:
        ValueError: If a line is not understood; it is named.
    """
    entries = []
    for number, line in enumerate(read_lines(path), 1):
        name, _, label = line.rpartition(' ')
        if '_E_' not in name or not label.isdecimal():
            raise ValueError(f'{path}, line {number}: expected "<id>_E_.._.._A_.._.. label", got {line!r}')
        ending = next((suffix for suffix in VIDEO_SUFFIXES if name.lower().endswith(suffix)), '')
        entries.append((name[: len(name) - len(ending)], int(label)))
    return entries


def main() -> None:
    parser = converter_parser(__doc__)
    parser.add_argument('--setting', choices=list(SIZES), default='gym99')
    parser.add_argument('--class-names', type=Path, help='file with the name of each class (default: their numbers)')
    parser.add_argument('--full-videos', type=Path, help='folder of whole videos to cut the elements out of')
    parser.add_argument(
        '--short-side', type=int, default=320, help='pixels to reduce what is cut to (default: %(default)s)'
    )
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
