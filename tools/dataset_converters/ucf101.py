"""Lists of UCF101: train_split{1,2,3}.txt and test_split{1,2,3}.txt, labels from 0.

Reads classInd.txt, trainlist0k.txt and testlist0k.txt of the official splits, whose labels count from 1. Videos are
found by name, whatever folder they are in and whether it is called HandstandPushups or HandStandPushups.

Example::

    python tools/dataset_converters/ucf101.py data/ucf101 --annotations data/ucf101/ucfTrainTestlist
"""

from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.videos.lists import Split, converter_parser, index_videos, match_files, read_lines, run_converter

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
    """Class names in the order of their numbers, which have to be 1, 2, 3, ...

    Raises:
        ValueError: If they are not.
    """
    numbered = [line.split(maxsplit=1) for line in read_lines(path)]
    if [parts[0] for parts in numbered] != [str(number) for number in range(1, len(numbered) + 1)]:
        raise ValueError(f'{path}: expected lines of "1 ApplyEyeMakeup", numbered from 1')
    return [parts[1] for parts in numbered]


def read_split(path: Path, labels: dict[str, int]) -> list[tuple[str, int]]:
    """Names and labels; the class is the folder, and a number after the name, if there is one, has to agree.

    Raises:
        ValueError: If the class is unknown or the number is another one's.
    """
    entries = []
    for line in read_lines(path):
        name, *number = line.split()
        label = labels.get(Path(name).parent.name.lower())
        if label is None or (number and int(number[0]) != label + 1):
            raise ValueError(f'{path}: {line!r} is of no class of classInd.txt, or its number is not that of its class')
        entries.append((name, label))
    return entries


if __name__ == '__main__':
    run_converter(converter_parser(__doc__, 'ucfTrainTestlist'), convert)
