"""Check UCFRep: RepetitionDataset reads the .mat files, so no lists are written.

Reads all annotations in train/ and val/, counts their repetitions, and lists missing videos of UCF101 in
train_missing.txt and val_missing.txt.

Example::

    python tools/dataset_converters/ucfrep.py data/ucfrep --videos videos
"""

from argparse import Namespace
from pathlib import Path

from mmsigma.datasets.severe.repetition_dataset import read_repetitions
from mmsigma.datasets.videos.lists import Split, converter_parser, index_videos, match_files, run_converter

SIZES = {'train': 421, 'val': 105}


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    videos = index_videos(args.root, args.videos, key=lambda path: path.stem.lower())
    splits = []
    for part, size in SIZES.items():
        counts = count_repetitions(args.annotations / part)
        splits.append(match_files(part, [(name, 0) for name in counts], lambda name: videos.get(name.lower()), size))
        numbers = counts.values()
        print(f'{part}: {min(numbers)} to {max(numbers)} repetitions, mean {sum(numbers) / len(numbers):.1f}')
    return splits, []


def count_repetitions(folder: Path) -> dict[str, int]:
    """Count the repetitions of each video.

    Raises:
        FileNotFoundError: If there is no annotation.
        ValueError: If an annotation cannot be parsed; the message names it.
    """
    counts = {path.stem: len(read_repetitions(path)['cycle_bounds']) - 1 for path in sorted(folder.glob('*.mat'))}
    if not counts:
        raise FileNotFoundError(f'no .mat file in {folder}; set --annotations to the folder of train/ and val/')
    return counts


if __name__ == '__main__':
    run_converter(converter_parser(__doc__, ''), convert, write=False)
