"""Make lists of UCF101: train_split{1,2,3}.txt and test_split{1,2,3}.txt, with labels from 0.

Reads classInd.txt, trainlist0k.txt and testlist0k.txt of the official splits, whose labels count from 1. Videos are
found by name, in any folder, whether they are called HandstandPushups or HandStandPushups.

Example::

    python tools/dataset_converters/ucf101.py data/ucf101 --annotations data/ucf101/ucfTrainTestlist
"""

from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.videos.lists import Split, converter_parser, index_videos, match_files, run_converter
from mmsigma.io.text import read_lines

SIZES = {'train': (9537, 9586, 9624), 'test': (3783, 3734, 3696)}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    classes = read_classes(args.annotations / 'classInd.txt')
    labels = {name.lower(): label for label, name in enumerate(classes)}
    videos = index_videos(args.root, args.videos, key=lambda path: path.stem.lower())
    splits = [
        match_files(
            f'{part}_split{number}',
            read_split(args.annotations / f'{part}list0{number}.txt', labels),
            lambda name: videos.get(Path(name).stem.lower()),
            sizes[number - 1],
        )
        for part, sizes in SIZES.items()
        for number in (1, 2, 3)
    ]
    return splits, classes


def read_classes(path: Path) -> list[str]:
    """Read the class names in the order of their numbers, which must be 1, 2, 3, ...

    Raises:
        ValueError: If they are not.
    """
    numbered = [line.split(maxsplit=1) for line in read_lines(path)]
    if [parts[0] for parts in numbered] != [str(number) for number in range(1, len(numbered) + 1)]:
        raise ValueError(f'{path}: expected lines of "1 ApplyEyeMakeup", numbered from 1')
    return [parts[1] for parts in numbered]


def read_split(path: Path, labels: dict[str, int]) -> list[tuple[str, int]]:
    """Read names and labels; the folder is the class, and an optional number after the name must agree with it.

    Raises:
        ValueError: If the class is unknown or the number belongs to another class.
    """
    entries = []
    for line in read_lines(path):
        name, *number = line.split()
        label = labels.get(Path(name).parent.name.lower())
        if label is None or (number and int(number[0]) != label + 1):
            raise ValueError(
                f'{path}: {line!r} has a class that is not in classInd.txt, or the number of another class'
            )
        entries.append((name, label))
    return entries


if __name__ == '__main__':
    run_converter(converter_parser(__doc__, 'ucfTrainTestlist'), convert)
