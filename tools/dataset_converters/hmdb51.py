"""Make lists of HMDB51: train_split{1,2,3}.txt and test_split{1,2,3}.txt.

Reads the official files <class>_test_split{1,2,3}.txt, in which 1 marks training videos, 2 test videos and 0 those that
a split does not use. Videos are found in the folders of their classes.

Example::

    python tools/dataset_converters/hmdb51.py data/hmdb51 --annotations data/hmdb51/testTrainMulti_7030_splits
"""

import re
from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.videos.lists import Split, converter_parser, index_videos, match_files, run_converter
from mmsigma.io.text import read_lines

FLAGS = {'train': 1, 'test': 2}
SIZES = {'train': 3570, 'test': 1530}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    names = (re.fullmatch(r'(.+)_test_split1', path.stem) for path in args.annotations.glob('*_test_split1.txt'))
    classes = sorted(match[1] for match in names if match)
    if not classes:
        raise FileNotFoundError(
            f'no <class>_test_split1.txt in {args.annotations}; set --annotations to the folder of the files'
        )
    videos = index_videos(args.root, args.videos, key=lambda path: f'{path.parent.name}/{path.stem}')
    splits = []
    for number in (1, 2, 3):
        flags = [(name, label, flag) for label, c in enumerate(classes) for name, flag in read_flags(args, c, number)]
        splits += [
            match_files(
                f'{part}_split{number}',
                [(name, label) for name, label, flag in flags if flag == wanted],
                lambda name: videos.get(name.rpartition('.')[0]),
                SIZES[part],
            )
            for part, wanted in FLAGS.items()
        ]
    return splits, classes


def read_flags(args: Namespace, name: str, number: int) -> list[tuple[str, int]]:
    """Read the videos of a class, as class/file, and their flags in a split.

    Raises:
        ValueError: If a flag is not 0, 1 or 2.
    """
    path: Path = args.annotations / f'{name}_test_split{number}.txt'
    entries = []
    for line in read_lines(path):
        video, _, flag = line.rpartition(' ')
        if flag not in ('0', '1', '2') or not video:
            raise ValueError(f'{path}: expected "name.avi" and one of 0, 1, 2, got {line!r}')
        entries.append((f'{name}/{video.strip()}', int(flag)))
    return entries


if __name__ == '__main__':
    run_converter(converter_parser(__doc__, 'testTrainMulti_7030_splits'), convert)
