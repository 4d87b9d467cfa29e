"""Download published weights that load here, or say where their authors offer them.

Without a name, all are listed. What is on the Hugging Face hub goes to a folder; the rest is fetched in a browser.

Examples::

    python tools/download.py
    python tools/download.py videomae-base-kinetics
    python tools/download.py resnet50v2-imagenet --check resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5
"""

import argparse
from difflib import get_close_matches
from pathlib import Path

from mmsigma.checkpoints.zoo import ZOO, DownloadError, check_digest, fetch
from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', nargs='?', metavar='NAME', help='weights; none lists all')
    parser.add_argument('--out', type=Path, default=Path('checkpoints'), help='folder to fill (default: %(default)s)')
    parser.add_argument('--file', help='file of the repository, if it has several')
    parser.add_argument('--check', type=Path, help='compare a file that was fetched by hand with the known digest')
    args = parser.parse_args()
    if args.name is not None and args.name not in ZOO:
        near = get_close_matches(args.name, ZOO, n=1)
        hint = f'did you mean {near[0]}?' if near else 'mmsigma download lists those that there are'
        raise SystemExit(f'there are no weights {args.name!r}: {hint}')
    return args


def main() -> None:
    args = parse_args()
    if args.name is None:
        for name, weights in ZOO.items():
            print(f'{name:<24}  {weights.about}\n{"":<24}  licence: {weights.licence}')
        return
    try:
        if args.check:
            check_digest(args.name, args.check)
            print(f'{args.check}: {"as published" if ZOO[args.name].md5 else "no digest is published to compare with"}')
        else:
            fetch(args.name, args.out, args.file)
    except (OSError, ValueError, DownloadError) as error:
        raise SystemExit(f'{args.name}: {error}') from error


if __name__ == '__main__':
    main()
