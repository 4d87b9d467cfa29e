"""Make one store of the features of several, such as of parts of a list that machines have extracted side by side.

python tools/merge_features.py features/part_0 features/part_1 --out features/k400_train

The stores must be of the same model, views and format, and of different videos. Their files are linked, or copied to
another file system, and never changed.
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('stores', nargs='+', type=Path, help='folders of stored features')
    parser.add_argument('--out', type=Path, required=True, help='folder of the store to make')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.io.feature_growth import merge_stores

    with errors_in_one_line(' '.join(map(str, args.stores)), verbose=args.verbose):
        found = merge_stores(args.stores, args.out)
    print(f'{tuple(found.features.shape)} features in {args.out}, {len(found.failed)} videos could not be read')


if __name__ == '__main__':
    main()
