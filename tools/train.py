"""Train a model.

python tools/train.py configs/demo/sigma_tiny_demo_mlp.py --cfg-options data_root=my_videos/
"""

import argparse
import os

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    parser = CommandParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config file, or package::path of an installed one')
    parser.add_argument(
        '--work-dir', help='folder of logs and checkpoints (default: work_dirs/<folder of config>/<config>)'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='newest',
        metavar='FILE | auto',
        help='continue from a checkpoint; without a file, from the newest in the work dir; with "auto", start anew if '
        'there is none',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='put the checkpoints of an earlier run in the work dir aside'
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate to the actual batch size')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    parser.add_argument(
        '--dry-run', action='store_true', help='train a few steps, print what training takes, and write nothing'
    )
    parser.add_argument('--seed', type=int, help='random seed, which overrides that of the config')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what has started several processes, if any (default: %(default)s)',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--verbose', action='store_true', help='show the whole log on the console')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='allow checkpoints to execute code while they are loaded'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        default={},
        help='key=value pairs; variables of the config (data_root=..., epochs=...) and dotted keys',
    )
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis.launch import (
        apply_arguments,
        build_runner,
        errors_in_one_line,
        leave_process_group,
        prepare_training,
    )
    from mmsigma.apis.work_dir import config_name, default_work_dir
    from mmsigma.utils.config import load_config

    with errors_in_one_line(args.config, verbose=args.verbose):
        cfg = load_config(args.config, args.cfg_options)
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(default_work_dir(args.config))
        apply_arguments(cfg, args)
        if args.dry_run:
            from mmsigma.apis.dry_run import dry_run

            print(dry_run(cfg).describe())
            return
        owner = prepare_training(cfg, config_name(args.config), overwrite=args.overwrite)
        runner = build_runner(cfg)
        if owner is not None:
            runner.register_hook(owner)
        runner.train()
    leave_process_group()


if __name__ == '__main__':
    main()
