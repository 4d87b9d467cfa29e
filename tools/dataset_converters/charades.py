"""Check Charades: CharadesDataset reads the official CSV files, so no lists are written.

Counts the videos in Charades_v1_train.csv and Charades_v1_test.csv, their actions and classes, and lists missing videos
in train_missing.txt and test_missing.txt. With Charades_v1_classes.txt, it writes classes.txt. Use --frames for folders
of frames, Charades_v1_rgb/<id>/, instead of videos.

Example::

    python tools/dataset_converters/charades.py data/charades --videos videos
"""

from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.severe.charades_dataset import read_charades
from mmsigma.datasets.videos.lists import (
    Split,
    converter_parser,
    index_videos,
    match_files,
    one_file,
    run_converter,
)
from mmsigma.io.text import read_lines

NUM_CLASSES = 157
SIZES = {'train': 7_985, 'test': 1_863}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    found = index_frames(args.root / args.videos) if args.frames else index_videos(args.root, args.videos)
    splits = []
    for part, size in SIZES.items():
        path = one_file(args.annotations, f'Charades_v1_{part}.csv')
        actions = read_charades(path)
        check_actions(path, actions)
        splits.append(match_files(part, [(name, 0) for name in actions], found.get, size))
    names = args.annotations / 'Charades_v1_classes.txt'
    return splits, [line.partition(' ')[2] for line in read_lines(names)] if names.is_file() else []


def index_frames(folder: Path) -> dict[str, str]:
    """Index the folders that are not empty by name."""
    return {path.name: path.name for path in folder.glob('*') if path.is_dir() and any(path.iterdir())}


def check_actions(path: Path, actions: dict[str, list[tuple[int, float, float]]]) -> None:
    """Check classes and times, and print how many there are.

    Raises:
        ValueError: If a class does not exist or an action ends before it starts; the message names the video.
    """
    for name, listed in actions.items():
        wrong = [action for action in listed if action[0] >= NUM_CLASSES or action[2] < action[1]]
        if wrong:
            raise ValueError(
                f'{path}: video {name} has the action {wrong[0]}; expected class < {NUM_CLASSES}, start, end'
            )
    every = [action[0] for listed in actions.values() for action in listed]
    without = sum(not listed for listed in actions.values())
    print(f'{path.name}: {len(every):,} actions of {len(set(every))} classes, {without} videos without any')


def main() -> None:
    parser = converter_parser(__doc__, '')
    parser.add_argument('--frames', action='store_true', help='look for folders of frames')
    run_converter(parser, convert, write=False)


if __name__ == '__main__':
    main()
