"""Compute the features of SIGMA's frozen teacher once, for all frames of the training videos of a config.

Training then reads them with the clips instead of running the teacher in every step. The teacher sees whole frames,
and its maps are cropped like the clips; in SIGMA it sees the crops. A map takes 2 bytes per cell and channel: 0.4 MB a
frame of 224 x 288 for a ViT-B/16, so that this is for small sets of videos, or for --every few frames.

Example::

    python tools/cache_teacher.py configs/evidence/sigma_lite0.py --out teacher --cfg-options data_root=cache
    python tools/train.py configs/evidence/sigma_lite0_stored.py --cfg-options data_root=cache maps=teacher
"""

import argparse

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of SIGMA with a frozen teacher, a file or package::path')
    parser.add_argument('--out', required=True, help='folder to write to; what is there is kept')
    parser.add_argument('--every', type=int, default=1, help='frames from one map to the next (default: %(default)s)')
    parser.add_argument('--short-side', type=int, help='of the frames, in pixels (default: as the config has it)')
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmengine.registry import init_default_scope

    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.apis.teacher_maps import write_teacher_maps
    from mmsigma.utils.config import load_config

    with errors_in_one_line(args.config, verbose=args.verbose):
        init_default_scope('mmsigma')
        cfg = load_config(args.config, args.cfg_options)
        done, failed = write_teacher_maps(
            cfg, args.out, every=args.every, short_side=args.short_side, device=args.device
        )
        print(f'{done} videos have maps in {args.out}' + (f'; {failed} could not be read' if failed else ''))


if __name__ == '__main__':
    main()
