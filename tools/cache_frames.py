"""Decode videos once, reduced, so that training on a small machine does not wait for decoders.

python tools/cache_frames.py videos/ frames/JPEGImages/480p --out cache --short-side 128

A file of numpy holds the frames of a video. ``list.txt`` in the folder names them all, each as often as its share of
the frames demands, so that clips start anywhere in the material with equal probability: data_root=cache
ann_file_train=list.txt. What is there already is not decoded again.
"""

import argparse

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folders', nargs='+', help='folders of video files, or of folders of frames')
    parser.add_argument('--out', required=True, help='folder to write to')
    parser.add_argument('--short-side', type=int, default=128, help='in pixels (default: %(default)s)')
    parser.add_argument('--entries', type=int, default=3200, help='lines of the list (default: about %(default)s)')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmsigma.apis.frame_cache import cache_frames
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line(args.out, verbose=args.verbose):
        videos, frames = cache_frames(args.folders, args.out, short_side=args.short_side, entries=args.entries)
    print(f'{videos} videos, {frames} frames in {args.out}')


if __name__ == '__main__':
    main()
