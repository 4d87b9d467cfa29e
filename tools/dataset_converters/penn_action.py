"""Make lists of Penn Action: train.txt and val.txt of 13 actions, train_<action>.txt and val_<action>.txt of each.

Reads labels/<id>.mat and finds frames/<id>/; jump_rope and strum_guitar are left out, as in all work on alignment. The
list of all videos is that of GTA. Phases are not part of the dataset: with --phases, a folder of third-party files
<train|val>/<action>/<id>*.npy, it writes phases/<id>.npy, one phase per frame. With --only-labelled, the lists contain
only the videos with phases, like those of CARL. A table compares the videos of each action with the lists of GTA, TCC
and CARL.

Two other formats may be read instead of the .mat files. --tfrecords is a folder of records of TCC and GTA,
<action>_tfrecords/<action>_<train|val>*, whose images are unpacked to frames/. --carl is a folder with CARL's train.pkl
and val.pkl beside its videos; since pickles can run code, it requires --trust.

Examples::

    python tools/dataset_converters/penn_action.py data/penn_action --phases data/penn_action_labels
    python tools/dataset_converters/penn_action.py data/penn_action --tfrecords data/penn_action_tfrecords
    python tools/dataset_converters/penn_action.py data/penn_action --carl data/penn_action_carl --trust
"""

import os
import pickle
import re
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import track

from mmsigma.datasets.alignment.penn_action import (
    DROPPED,
    NUM_PHASES,
    action_name,
    check_phases,
    count_table,
    find_phase_files,
    read_penn_video,
)
from mmsigma.datasets.alignment.phase_dataset import read_phases
from mmsigma.datasets.alignment.sequence_examples import unpack_videos, write_phases
from mmsigma.datasets.transforms.alignment import resample_phases
from mmsigma.datasets.videos.lists import Split, converter_parser, match_files, run_converter
from mmsigma.io.names import path_below
from mmsigma.io.pictures import list_pictures

PARTS = ('train', 'val')
SIZES = {'train': 1_172, 'val': 978}


class Entry(NamedTuple):
    """A video of the lists.

    Attributes:
        name: Name of its folder and of its phases.
        action: One of the 13 actions.
        part: ``'train'`` or ``'val'``.
        path: Path relative to the root; None if it is missing.
        labelled: Whether it has phases.
    """

    name: str
    action: str
    part: str
    path: str | None
    labelled: bool


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    source = from_tfrecords if args.tfrecords else from_carl if args.carl else from_annotations
    entries = list(source(args))
    unlabelled = [entry.name for entry in entries if not entry.labelled]
    if unlabelled:
        print(f'{len(unlabelled):,} of {len(entries):,} videos have no phases', *unlabelled[:10], sep=' ')
    if args.only_labelled:
        entries = [entry for entry in entries if entry.labelled]
    counts: dict[str, dict[str, int]] = {action: dict.fromkeys(PARTS, 0) for action in NUM_PHASES}
    for entry in entries:
        counts[entry.action][entry.part] += 1
    print(*count_table(counts), sep='\n')
    splits = list(make_splits(entries, args.only_labelled))
    remove_old(args, unlabelled, {split.name for split in splits})
    return splits, list(NUM_PHASES)


def remove_old(args: Namespace, unlabelled: list[str], written: set[str]) -> None:
    """Delete files of an earlier run that this one does not write: lists, and phases of unlabelled videos."""
    lists = {f'{part}_{action}' for part in PARTS for action in NUM_PHASES} - written
    # without --phases, none were requested, and existing ones are kept
    phases = unlabelled if args.phases or args.tfrecords or args.carl else []
    names = [*(f'{name}.txt' for name in sorted(lists)), *(f'phases/{name}.npy' for name in phases)]
    old = [path for name in names if (path := (args.out or args.root) / name).is_file()]
    for path in old:
        path.unlink()
    if old:
        print(f'deleted {len(old):,} files of an earlier run:', *(path.name for path in old[:10]))


def make_splits(entries: list[Entry], only_labelled: bool) -> Iterator[Split]:
    """Yield the lists of all actions, and of each action."""
    numbers = {action: number for number, action in enumerate(NUM_PHASES)}
    paths = {entry.name: entry.path for entry in entries}
    for part in PARTS:
        own = [entry for entry in entries if entry.part == part]
        wanted = [(entry.name, numbers[entry.action]) for entry in own]
        yield match_files(part, wanted, paths.get, None if only_labelled else SIZES[part])
    for action, part in ((action, part) for action in NUM_PHASES for part in PARTS):
        own = [entry for entry in entries if (entry.action, entry.part) == (action, part)]
        if split := action_split(f'{part}_{action}', own, numbers[action]):
            yield split


def action_split(name: str, entries: list[Entry], label: int) -> Split | None:
    """Return the list of one action, or None if none of its videos is there."""
    there = [(entry.path, label) for entry in entries if entry.path]
    if not there:
        return None
    return Split(name, there, every=[(entry.path or entry.name, label) for entry in entries])


def from_annotations(args: Namespace) -> Iterator[Entry]:
    """Yield the videos of ``labels/*.mat``; those with incomplete frames count as missing.

    Raises:
        FileNotFoundError: If there is no annotation.
        ValueError: If phases belong to another action than the video.
    """
    annotations = sorted(args.annotations.glob('*.mat'))
    if not annotations:
        raise FileNotFoundError(f'no .mat file in {args.annotations}; set --annotations to the folder of labels')
    files = find_phase_files(args.phases) if args.phases else {}
    for path in track(annotations, 'annotations', transient=True):
        video = read_penn_video(path)
        if video.action in DROPPED:
            continue
        labels = files.get(video.name)
        if labels:
            if labels[1] != video.action:
                raise ValueError(f'{labels[2]}: video {video.name} shows {video.action}, not {labels[1]}')
            if labels[0] != video.part:
                print(f'{labels[2]} is in the folder of {labels[0]}, but {video.name} is in the list of {video.part}')
            phases = check_phases(read_phases(labels[2]), video.action, labels[2])
            write_phases(path_below(phase_folder(args), f'{video.name}.npy'), resample_phases(phases, video.num_frames))
        place = f'{args.videos or "frames"}/{video.name}'
        folder = args.root / place
        complete = folder.is_dir() and len(list_pictures(folder)) == video.num_frames
        if folder.is_dir() and not complete:
            print(f'{folder} does not have the {video.num_frames} images that {path.name} states: it counts as missing')
        yield Entry(video.name, video.action, video.part, place if complete else None, labels is not None)


def from_tfrecords(args: Namespace) -> Iterator[Entry]:
    """Unpack and yield the videos of ``<action>_tfrecords/<action>_<train|val>*``.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If a file has another name, or is damaged.
    """
    files = sorted(path for path in args.tfrecords.glob('*_tfrecords/*') if path.is_file())
    if not files:
        raise FileNotFoundError(f'no <action>_tfrecords/<action>_<train|val>* in {args.tfrecords}')
    seen: dict[str, str] = {}
    for number, path in enumerate(track(files, 'records', transient=True)):
        name = path.parent.name.removesuffix('_tfrecords')
        part = re.match(rf'{re.escape(name)}_({"|".join(PARTS)})', path.name)
        if part is None:
            raise ValueError(f'{path}: the name does not begin with {name}_train or {name}_val')
        action = action_name(name)
        nameless = f'{part[1]}_{number}_'  # train and val of all shards end up in one folder
        for video in unpack_videos(path, args.root / 'frames', seen, f'{action}_', nameless):
            if video.phases is not None:
                check_phases(video.phases, action, f'{path}, video {video.name}')
                write_phases(path_below(phase_folder(args), f'{video.name}.npy'), video.phases)
            yield Entry(video.name, action, part[1], f'frames/{video.name}', video.phases is not None)


def from_carl(args: Namespace) -> Iterator[Entry]:
    """Yield the videos of CARL's ``<part>.pkl``.

    A file has a list of entries with id, name, video_file, seq_len and frame_label, and a dict of actions.

    Raises:
        ValueError: If ``--trust`` is not set, or a file has another form.
    """
    if not args.trust:
        raise ValueError(f'pickles in {args.carl} can run code: set --trust if you trust their origin')
    for part in PARTS:
        path = args.carl / f'{part}.pkl'
        with path.open('rb') as file:
            content = pickle.load(file)
        try:
            yield from _carl_entries(args, part, *content)
        except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
            raise ValueError(f"{path} is not CARL's list of entries and actions: {error!r}") from error


def _carl_entries(args: Namespace, part: str, videos: list[dict[str, Any]], actions: dict[str, Any]) -> Iterator[Entry]:
    of_action = {int(index): action_name(name) for name, own in actions.items() for index in own}
    for index, video in enumerate(videos):
        file = args.carl / video['video_file']
        if video.get('frame_label') is not None:
            phases = check_phases(np.asarray(video['frame_label']), of_action[index], f'video {file.stem}')
            phases = resample_phases(phases, int(video['seq_len']))
            write_phases(path_below(phase_folder(args), f'{file.stem}.npy'), phases)
        place = Path(os.path.relpath(file, args.root)).as_posix() if file.is_file() else None
        yield Entry(file.stem, of_action[index], part, place, video.get('frame_label') is not None)


def phase_folder(args: Namespace) -> Path:
    """Return the folder to which phases are written."""
    return Path(args.out or args.root) / 'phases'


def main() -> None:
    parser = converter_parser(__doc__, 'labels')
    parser.add_argument(
        '--phases',
        type=Path,
        help='folder of third-party phases, <train|val>/<action>/<id>*.npy',
    )
    parser.add_argument('--only-labelled', action='store_true', help='leave out videos without phases')
    parser.add_argument('--tfrecords', type=Path, help='folder of TFRecords to unpack')
    parser.add_argument('--carl', type=Path, help='folder with train.pkl, val.pkl and their videos')
    parser.add_argument(
        '--trust', action='store_true', help='allow pickles to create any object, which may execute code'
    )
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
