"""Lists of FineGym: gym99_train.txt and gym99_val.txt, or those of Gym288; SEVERE's FX-S1 and UB-S1 are parts of Gym99.

Reads the official lists of elements, or those of SEVERE with or without _org, whose lines are
<youtube id>_E_<start>_<end>_A_<start>_<end> and a label. The videos are cut to the elements and called like this.

Example::

    python tools/dataset_converters/finegym.py data/gym --annotations data/gym/annotations
"""

from argparse import Namespace
from pathlib import Path

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

SIZES = {'gym99': {'train': 20_484, 'val': 8_521}, 'gym288': {'train': 22_671, 'val': 9_646}}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    videos = index_videos(args.root, args.videos)
    splits = []
    for part, size in SIZES[args.setting].items():
        name = f'{args.setting}_{part}'
        source = one_file(args.annotations, f'{name}_org.txt', f'{name}.txt', f'{name}_element*.txt')
        if source.resolve() == ((args.out or args.root) / f'{name}.txt').resolve():
            raise ValueError(f'{source} would be overwritten: move it to another folder, or give --out')
        splits.append(match_files(name, read_elements(source), videos.get, size))
    if args.class_names:
        return splits, read_lines(args.class_names)
    return splits, [str(label) for label in range(int(args.setting.removeprefix('gym')))]


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
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
