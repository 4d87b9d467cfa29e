"""List the videos of tar shards, as of WebDataset, for training.

python tools/list_shards.py shards --out train.csv
python tools/list_shards.py shards/train-0000*.tar --out shards/train.csv --label-key class

Paths are relative to the folder of the list. The label of a video is in the member of its name that ends in .cls, or in
.json under --label-key; without one, there is no label. Shards are read where they are, and never unpacked.
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('shards', nargs='+', type=Path, help='tar files, or folders of these')
    parser.add_argument('--out', type=Path, required=True, help='list to write, a CSV')
    parser.add_argument('--label-key', default='label', help='key of the label in .json (default: %(default)s)')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.apis.video_shards import list_shards
    from mmsigma.io.tables import write_csv

    with errors_in_one_line(' '.join(map(str, args.shards)), verbose=args.verbose):
        shards = [shard for path in args.shards for shard in (sorted(path.glob('*.tar')) if path.is_dir() else [path])]
        videos = list_shards(shards, args.out.parent, args.label_key)
        write_csv(args.out, [('path', 'label'), *((path, ','.join(map(str, labels))) for path, labels in videos)])
    labelled = sum(labels != (-1,) for _, labels in videos)
    print(f'{len(videos):,} videos of {len(shards):,} shards, {labelled:,} of them with labels: {args.out}')


if __name__ == '__main__':
    main()
