"""Make the demo dataset: short synthetic videos with action labels, object masks and phases, without a download.

Example::

    python tools/make_demo_dataset.py --out data/demo --num-workers 2
"""

import argparse

from mmsigma.utils.options import CommandParser


def parse_args() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = CommandParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--out', default='data/demo', help='folder to fill (default: %(default)s)')
    parser.add_argument('--num-videos', type=int, default=120, help='default: %(default)s')
    parser.add_argument(
        '--val-share', type=float, default=0.25, help='fraction of videos for validation (default: %(default)s)'
    )
    parser.add_argument('--num-classes', type=int, default=10, help='number of classes (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='default: %(default)s')
    parser.add_argument(
        '--num-workers', type=int, default=2, help='worker processes; 0 for none (default: %(default)s)'
    )
    return parser, parser.parse_args()


def main() -> None:
    parser, args = parse_args()
    from mmsigma.synthetic.demo_data import make_demo_dataset
    from mmsigma.utils.progress import steps

    try:
        with steps('Rendering videos', args.num_videos) as advance:
            path = make_demo_dataset(
                args.out,
                num_videos=args.num_videos,
                seed=args.seed,
                val_share=args.val_share,
                num_workers=args.num_workers,
                num_classes=args.num_classes,
                on_video=lambda name: advance(),
            )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(f'The demo dataset is in {path}; see README.txt there.')


if __name__ == '__main__':
    main()
