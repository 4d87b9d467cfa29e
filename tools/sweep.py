"""Test one checkpoint under several values of an option of its config, and print a table of the scores.

Each value has a folder of results in <work dir>/<checkpoint>, and is not tested again unless config, checkpoint,
options or version have changed: an interrupted sweep goes on where it was. The table is there as well, in <option>.csv
and .json.

Examples::

    python tools/sweep.py configs/mask_vos/r18_ytvos.py epoch_400.pth model.memory.num_rounds 0 1 2 3 4 5
    python tools/sweep.py configs/vos/colour.py none model.propagator.k 5 10 20 --scores 'J&F'
    bash tools/launch.sh 8 tools/sweep.py CONFIG CHECKPOINT dataset davis2016 davis2017 --launcher pytorch
"""

import argparse
import os
from pathlib import Path

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::path of an installed one')
    parser.add_argument('checkpoint', help='checkpoint file; none where the config names the weights')
    parser.add_argument('option', help='variable or dotted key of the config')
    parser.add_argument('values', nargs='+', help='its values')
    parser.add_argument('--work-dir', type=Path, help='folder of results (default: work_dirs/<folder>/<config>/sweeps)')
    parser.add_argument('--scores', nargs='+', help='show those whose names have one of these in them')
    parser.add_argument('--again', action='store_true', help='test finished values again')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what has started several processes, if any (default: %(default)s)',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--verbose', action='store_true', help='the whole log on the console')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow checkpoints to execute code on loading')
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs, of all tests'
    )
    parser.set_defaults(seed=None)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    args.checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    return args


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis.launch import enter_process_group, errors_in_one_line, leave_process_group
    from mmsigma.apis.sweeping import sweep

    with errors_in_one_line(args.config, verbose=args.verbose):
        enter_process_group(args.launcher)
        sweep(args)
    leave_process_group()


if __name__ == '__main__':
    main()
