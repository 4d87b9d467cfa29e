"""Make lists of FineGym: gym99_train.txt and gym99_val.txt, or those of Gym288; FX-S1 and UB-S1 are parts of Gym99.

Reads the official lists of elements, or those of SEVERE with or without _org, whose lines consist of
<youtube id>_E_<start>_<end>_A_<start>_<end> and a label. The videos are cut to the elements and named accordingly.

With finegym_annotation_info_v1.0.json, or a later version, beside the lists, it also writes <list>_cuts.csv with the
positions of the elements in the whole videos, and <list>_unannotated.txt if some are not in the JSON file.
--full-videos cuts missing elements out of whole videos called <youtube id>; an interrupted run can be resumed.

--frames LAYOUT writes <list>_LAYOUT.json instead, an index of labelled frames for PhaseVideoDataset. Its videos are
segments of the clips of events, <youtube id>_E_<start>_<end>.mp4, which --full-videos cuts at 25 frames per second and
640 x 360 pixels. The layouts are clips (the elements), events (whole events, with background labelled -1) and organised
(the elements of each event, arranged in one order of sets). The order is given by --order, a JSON file
{"FX": {"leaps": [6, 7], ...}, ...} or FineGym's gym99_categories.txt; by default, the latter is looked for among the
annotations. The index records these choices.

Examples::

    python tools/dataset_converters/finegym.py data/gym --annotations data/gym/annotations
    python tools/dataset_converters/finegym.py data/gym --full-videos data/gym_youtube
    python tools/dataset_converters/finegym.py data/gym --frames organised --full-videos data/gym_youtube
"""

import os
from argparse import Namespace
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from mmsigma.datasets.alignment.finegym import Element, GymEvent, read_events, read_finegym, write_cuts
from mmsigma.datasets.alignment.finegym_frames import (
    EVENTS,
    EXTRA_STAGES,
    FRAME_LAYOUTS,
    GymClip,
    Order,
    check_gym99,
    clip_videos,
    complete_order,
    event_of,
    event_video,
    group_by_event,
    organised_video,
    read_order,
)
from mmsigma.datasets.alignment.segment_index import SegmentedVideo, write_segment_index
from mmsigma.datasets.videos.lists import (
    Split,
    converter_parser,
    index_videos,
    match_files,
    one_file,
    run_converter,
)
from mmsigma.datasets.videos.video_list import VIDEO_SUFFIXES
from mmsigma.io.atomic import make_folder
from mmsigma.io.cutting import cut_video
from mmsigma.io.names import path_below
from mmsigma.io.text import read_lines
from mmsigma.io.video import FrameReader

SIZES = {'gym99': {'train': 20_484, 'val': 8_521}, 'gym288': {'train': 22_671, 'val': 9_646}}
JSON = 'finegym_annotation_info*.json'


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    out: Path = args.out or args.root
    wanted = {f'{args.setting}_{part}': read_list(args, f'{args.setting}_{part}') for part in SIZES[args.setting]}
    if args.frames:
        return convert_frames(args, wanted)
    if args.full_videos or list(args.annotations.glob(JSON)):
        elements = read_finegym(one_file(args.annotations, JSON))
        make_folder(out)
        for name, entries in wanted.items():
            report_unannotated(out, name, write_cuts(out / f'{name}_cuts.csv', [key for key, _ in entries], elements))
        if args.full_videos:
            names = [key for entries in wanted.values() for key, _ in entries]
            cut_elements(args, {name: elements[name] for name in names if name in elements})
    videos = index_videos(args.root, args.videos)
    sizes = SIZES[args.setting].values()
    splits = [match_files(*item, videos.get, size) for item, size in zip(wanted.items(), sizes, strict=True)]
    return splits, class_names(args)


def num_classes(args: Namespace) -> int:
    """Return the number of classes of the setting, 99 or 288."""
    return int(args.setting.removeprefix('gym'))


def class_names(args: Namespace) -> list[str]:
    """Return the names of all classes; by default, these are their numbers."""
    if args.class_names:
        return read_lines(args.class_names)
    extra = EXTRA_STAGES if has_extra_classes(args) else 0
    return [str(label) for label in range(num_classes(args) + extra)]


def has_extra_classes(args: Namespace) -> bool:
    """Return whether the stages of vault before the last get classes of their own."""
    return bool(args.frames == 'organised' and args.vault_stages == 'classes')


def convert_frames(args: Namespace, wanted: dict[str, list[tuple[str, int]]]) -> tuple[list[Split], list[str]]:
    """Write indices of labelled frames, and return lists of the clips of events that they refer to."""
    out: Path = args.out or args.root
    make_folder(out)
    events = read_events(one_file(args.annotations, JSON))
    groups = {name: group_by_event(entries, events) for name, entries in wanted.items()}
    order = order_of_elements(args, groups, events) if args.frames == 'organised' else {}
    if args.full_videos:
        names = {name for group in groups.values() for name in group}
        cut_elements(args, {n: Element(*events[n][:3]) for n in sorted(names)}, fps=25, size=(640, 360))
    clips = index_videos(args.root, args.videos)
    splits = []
    for name, group in groups.items():
        check_group(args, out, name, group, events, [key for key, _ in wanted[name]])
        kinds = [(event, EVENTS.index(event_of(event, events[event]))) for event in group]
        split = match_files(f'{name}_{args.frames}', kinds, clips.get)
        splits.append(split)
        write_frames(args, out / f'{split.name}.json', split, {e: (events[e], group[e]) for e in group}, order)
    return splits, class_names(args)


def order_of_elements(
    args: Namespace, groups: dict[str, dict[str, dict[str, int]]], events: dict[str, GymEvent]
) -> Order:
    """Return the common order of the elements of each event, over all lists."""
    every = {f'{name} {part}': own for part, group in groups.items() for name, own in group.items()}
    known = {key: events[key.partition(' ')[0]] for key in every}
    return complete_order(read_order(order_file(args)), every, known)


def check_group(
    args: Namespace,
    out: Path,
    name: str,
    group: dict[str, dict[str, int]],
    events: dict[str, GymEvent],
    wanted: list[str],
) -> None:
    """Check the labels of Gym99, and report the elements of a list that the annotations lack."""
    if args.setting == 'gym99':
        check_gym99(group, events)
    found = {key for elements in group.values() for key in elements}
    report_unannotated(out, name, [key for key in wanted if key not in found])


def write_frames(
    args: Namespace, path: Path, split: Split, events: dict[str, tuple[GymEvent, dict[str, int]]], order: Order
) -> None:
    """Write the index of a list, and print what it contains."""
    missing, videos, counts = set(split.missing), [], Counter[str]()
    labels: dict[str, set[int]] = {}
    names = [name for name in events if name not in missing]
    for name, (place, _) in track(list(zip(names, split.entries, strict=True)), path.name, transient=True):
        event, elements = events[name]
        reader = FrameReader(args.root / place)
        relative = Path(os.path.relpath(args.root / place, path.parent)).as_posix()
        made = frame_videos(args, name, event, elements, GymClip(relative, reader.fps, len(reader)), order)
        counts['events'] += bool(made)
        counts['left out'] += not made
        labels.setdefault(event_of(name, event), set()).update(label for video in made for *_, label in video.segments)
        videos += made
    if not videos:
        raise FileNotFoundError(
            f'{path.name}: no video is left. Of the clips of events, <youtube id>_E_<start>_<end>.mp4 below '
            f'{args.root}, '
            f'{len(names):,} were read and {len(missing):,} are missing'
        )
    settings = dict(
        setting=args.setting,
        layout=args.frames,
        order=order,
        missing_sets=args.missing_sets,
        vault_stages=args.vault_stages if args.frames == 'organised' else 'last',
        labels={event: sorted(own - {-1}) for event, own in labels.items()},
    )
    write_segment_index(path, videos, settings)
    frames = sum(video.num_frames for video in videos)
    print(f'{path.name}: {len(videos):,} videos of {counts["events"]:,} events, {frames:,} frames', end='')
    print(f'; {counts["left out"]:,} events left out' if counts['left out'] else '')


def frame_videos(
    args: Namespace, name: str, event: GymEvent, elements: dict[str, int], clip: GymClip, order: Order
) -> list[SegmentedVideo]:
    """Return the videos of an event in the requested layout."""
    if args.frames == 'clips':
        return list(clip_videos(event, elements, clip))
    if args.frames == 'events':
        return [event_video(name, event, elements, clip)]
    kind = event_of(name, event)
    extra = num_classes(args) if has_extra_classes(args) and kind == 'VT' else None
    make = partial(organised_video, sets=order[kind], extra=extra, drop_incomplete=args.missing_sets == 'drop')
    video = make(name, event, elements, clip)
    return [video] if video else []


def order_file(args: Namespace) -> Path:
    """Locate the file with the order of sets.

    Raises:
        FileNotFoundError: If none is given or found.
    """
    if args.order:
        given: Path = args.order
        return given
    try:
        return one_file(args.annotations, f'{args.setting}_categories*.txt')
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'{error}; or set --order, a JSON file with the sets of each event in order: {{"FX": {{"leaps": [6, 7]}}}}'
        ) from error


def read_list(args: Namespace, name: str) -> list[tuple[str, int]]:
    """Read the names and labels of a list.

    Raises:
        ValueError: If the new list would replace it, or a line cannot be parsed.
    """
    source = one_file(args.annotations, f'{name}_org.txt', f'{name}.txt', f'{name}_element*.txt')
    if source.resolve() == ((args.out or args.root) / f'{name}.txt').resolve():
        raise ValueError(f'{source} would be overwritten: move it to another folder, or set --out')
    return read_elements(source)


def report_unannotated(out: Path, name: str, names: list[str]) -> None:
    """Print and write which elements of a list are missing in the JSON file."""
    path = out / f'{name}_unannotated.txt'
    if not names:
        path.unlink(missing_ok=True)  # left by an earlier run
        return
    path.write_text(''.join(f'{line}\n' for line in names), encoding='utf-8')
    print(f'{name}: {len(names):,} elements are not in the annotation, listed in {path.name}')


def cut_elements(args: Namespace, elements: dict[str, Element], **form: Any) -> None:
    """Cut elements or events out of whole videos into the folder of the videos, except for those that exist.

    Args:
        args: Arguments of the converter.
        elements: Elements or events by name.
        **form: Arguments of :func:`mmsigma.io.cutting.cut_video`; by default, ``short_side``.
    """
    folder = args.root / (args.videos or 'videos')
    present = {path.stem for path in folder.rglob('*') if path.suffix.lower() in VIDEO_SUFFIXES}
    whole = index_videos(args.full_videos)
    failed = []
    form = form or dict(short_side=args.short_side)
    for name, element in track(list(elements.items()), 'cutting', transient=True):
        if name in present or element.video not in whole:
            continue
        source = args.full_videos / whole[element.video]
        try:
            cut_video(source, path_below(folder, f'{name}.mp4'), element.start, element.end, **form)
        except (OSError, ValueError) as error:  # a video that is damaged or shorter than annotated
            failed.append(str(error))
    lost = {element.video for element in elements.values()} - whole.keys()
    print(
        f'{len(lost):,} whole videos are missing, {len(failed):,} elements could not be cut', *failed[:10], sep='\n  '
    )


def read_elements(path: Path) -> list[tuple[str, int]]:
    """Read names, without suffix, and labels.

    Raises:
        ValueError: If a line cannot be parsed; the message names it.
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
    parser.add_argument('--setting', choices=list(SIZES), default='gym99', help='classes (default: %(default)s)')
    parser.add_argument('--class-names', type=Path, help='file with one class name per line (default: numbers)')
    parser.add_argument('--full-videos', type=Path, help='folder of whole videos to cut the elements out of')
    parser.add_argument(
        '--short-side', type=int, default=320, help='short side of cut videos in pixels (default: %(default)s)'
    )
    parser.add_argument('--frames', choices=FRAME_LAYOUTS, help='write an index of labelled frames in this layout')
    parser.add_argument('--order', type=Path, help='order of sets for --frames organised')
    parser.add_argument(
        '--missing-sets',
        choices=('keep', 'drop'),
        default='keep',
        help='what to do with events that lack a set (default: %(default)s)',
    )
    parser.add_argument(
        '--vault-stages',
        choices=('classes', 'last'),
        default='classes',
        help='--frames organised: two more classes for the stages of vault before the last, or no label for them '
        '(default: %(default)s)',
    )
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
