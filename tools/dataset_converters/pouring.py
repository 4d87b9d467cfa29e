"""Make lists of Pouring: train.txt, val.txt and, if available, test.txt, from its public TFRecords.

Unpacks the images in pouring_train*, pouring_val* and pouring_test* to frames/, and writes phases/<name>.npy with the
phase of each frame, one of five.

Example::

    python tools/dataset_converters/pouring.py data/pouring --annotations data/pouring_tfrecords
"""

from argparse import Namespace

from rich.progress import track

from mmsigma.datasets.alignment.sequence_examples import unpack_videos, write_phases
from mmsigma.datasets.videos.lists import Split, converter_parser, run_converter
from mmsigma.io.names import path_below

SIZES = {'train': 70, 'val': 14, 'test': 32}
NUM_PHASES = 5


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    splits: list[Split] = []
    seen: dict[str, str] = {}
    for part, size in SIZES.items():
        files = sorted(path for path in args.annotations.glob(f'*{part}*') if path.is_file())
        if not files:
            if part != 'test':  # which is not among the public files
                raise FileNotFoundError(f'no records *{part}* in {args.annotations}; set --annotations to their folder')
            continue
        entries: list[tuple[str, int]] = []
        for number, path in enumerate(track(files, part, transient=True)):
            prefix = f'{part}_{number}_' if len(files) > 1 else f'{part}_'
            for video in unpack_videos(path, args.root / 'frames', seen, prefix):
                if video.phases is not None:
                    if not 0 <= video.phases.min() <= video.phases.max() < NUM_PHASES:
                        raise ValueError(f'{path}: {video.name} has phases other than 0 to {NUM_PHASES - 1}')
                    write_phases(path_below((args.out or args.root) / 'phases', f'{video.name}.npy'), video.phases)
                entries.append((f'frames/{video.name}', 0))
        splits.append(Split(part, entries, expected=size, every=entries))
    return splits, ['pouring']


def main() -> None:
    run_converter(converter_parser(__doc__, 'tfrecords'), convert)


if __name__ == '__main__':
    main()
