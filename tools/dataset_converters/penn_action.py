"""Lists of Penn Action: train.txt and val.txt of 13 actions, train_<action>.txt and val_<action>.txt of each.

Reads labels/<id>.mat and finds frames/<id>/; jump_rope and strum_guitar are left out, as in all work on alignment. All
videos are GTA's list. Phases are not part of the data set: with --phases, a folder of others' files
<train|val>/<action>/<id>*.npy, it writes phases/<id>.npy, one phase per frame, and with --only-labelled the lists have
the videos that have phases, as CARL's. A table compares the videos of each action with the lists of GTA, TCC and CARL.

Two other forms are read instead of the .mat files. --tfrecords: a folder of TCC's and GTA's records,
<action>_tfrecords/<action>_<train|val>*, whose pictures are unpacked to frames/. --carl: a folder with CARL's train.pkl
and val.pkl beside its videos; pickles can run code, so --trust has to be given too.

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
from mmsigma.io.video import list_pictures

PARTS = ('train', 'val')
SIZES = {'train': 1_172, 'val': 978}


class Entry(NamedTuple):
    """A video of the lists.

    Attributes:
        name: Of its folder, and its phases.
        action: One of the 13.
        part: ``'train'`` or ``'val'``.
        path: Relative to the root; None if it is missing.
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
    """Delete what an earlier run wrote and this one does not: lists of actions, and phases of videos without them."""
    lists = {f'{part}_{action}' for part in PARTS for action in NUM_PHASES} - written
    # without --phases none were asked for, and those that are there stay
    phases = unlabelled if args.phases or args.tfrecords or args.carl else []
    names = [*(f'{name}.txt' for name in sorted(lists)), *(f'phases/{name}.npy' for name in phases)]
    old = [path for name in names if (path := (args.out or args.root) / name).is_file()]
    for path in old:
        path.unlink()
    if old:
        print(f'deleted {len(old):,} files of an earlier run:', *(path.name for path in old[:10]))


def make_splits(entries: list[Entry], only_labelled: bool) -> Iterator[Split]:
    """Lists of all actions, and of each."""
    numbers = {action: number for number, action in enumerate(NUM_PHASES)}
    paths = {entry.name: entry.path for entry in entries}
    for part in PARTS:
        own = [entry for entry in entries if entry.part == part]
        wanted = [(entry.name, numbers[entry.action]) for entry in own]
        yield match_files(part, wanted, paths.get, None if only_labelled else SIZES[part])
    for action, part in ((action, part) for action in NUM_PHASES for part in PARTS):
        own = [entry for entry in entries if (entry.action, entry.part) == (action, part)]
        there = [(entry.path, numbers[action]) for entry in own if entry.path]
        if there:
            every = [(entry.path or entry.name, numbers[action]) for entry in own]
            yield Split(f'{part}_{action}', there, every=every)


def from_annotations(args: Namespace) -> Iterator[Entry]:
    """Videos of ``labels/*.mat``; those whose pictures are not all there are missing.

    Raises:
        FileNotFoundError: If there is no annotation.
        ValueError: If phases are of another action than the video.
    """
    annotations = sorted(args.annotations.glob('*.mat'))
    if not annotations:
        raise FileNotFoundError(f'no .mat file in {args.annotations}; say with --annotations where labels/ is')
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
                print(f'{labels[2]} is among those of {labels[0]}; {video.name} is in the list of {video.part}')
            phases = check_phases(read_phases(labels[2]), video.action, labels[2])
            write_phases(phase_folder(args) / f'{video.name}.npy', resample_phases(phases, video.num_frames))
        place = f'{args.videos or "frames"}/{video.name}'
        folder = args.root / place
        complete = folder.is_dir() and len(list_pictures(folder)) == video.num_frames
        if folder.is_dir() and not complete:
            print(f'{folder} has not the {video.num_frames} pictures that {path.name} says: it counts as missing')
        yield Entry(video.name, video.action, video.part, place if complete else None, labels is not None)


def from_tfrecords(args: Namespace) -> Iterator[Entry]:
    """Videos of ``<action>_tfrecords/<action>_<train|val>*``, unpacked.

    Raises:
        FileNotFoundError: If there are no such files.
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
                write_phases(phase_folder(args) / f'{video.name}.npy', video.phases)
            yield Entry(video.name, action, part[1], f'frames/{video.name}', video.phases is not None)


def from_carl(args: Namespace) -> Iterator[Entry]:
    """Videos of CARL's ``<part>.pkl``: entries with id, name, video_file, seq_len and frame_label, and actions.

    Raises:
        ValueError: If ``--trust`` is not given, or a file has another form.
    """
    if not args.trust:
        raise ValueError(f'pickles of {args.carl} can run code: give --trust if you trust where they are from')
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
            write_phases(phase_folder(args) / f'{file.stem}.npy', resample_phases(phases, int(video['seq_len'])))
        place = Path(os.path.relpath(file, args.root)).as_posix() if file.is_file() else None
        yield Entry(file.stem, of_action[index], part, place, video.get('frame_label') is not None)


def phase_folder(args: Namespace) -> Path:
    return (args.out or args.root) / 'phases'


def main() -> None:
    parser = converter_parser(__doc__, 'labels')
    parser.add_argument('--phases', type=Path, help="folder of others' phases, <train|val>/<action>/<id>*.npy")
    parser.add_argument('--only-labelled', action='store_true', help='leave videos without phases out')
    parser.add_argument('--tfrecords', type=Path, help='folder of records to unpack')
    parser.add_argument('--carl', type=Path, help='folder of train.pkl, val.pkl and their videos')
    parser.add_argument('--trust', action='store_true', help='let pickles build any object, which may execute code')
    run_converter(parser, convert)


if __name__ == '__main__':
    main()
