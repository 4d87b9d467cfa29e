"""Evaluate a checkpoint with the test protocol of a config."""

import argparse
import os

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    parser = CommandParser(description=__doc__)
    parser.add_argument('config', help='config file, or package::path of an installed one')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint file; not needed if the config names the weights')
    parser.add_argument(
        '--work-dir', help='folder of logs and results (default: work_dirs/<folder of config>/<config>)'
    )
    parser.add_argument('--dump', help='file to write all predictions to (.pkl), for a report')
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
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmengine.dist import is_main_process

    from mmsigma.apis.launch import (
        apply_arguments,
        build_runner,
        dump_predictions,
        errors_in_one_line,
        leave_process_group,
        prepare_test,
    )
    from mmsigma.apis.work_dir import config_name, record_test, test_folder
    from mmsigma.utils.config import load_config

    with errors_in_one_line(args.config, verbose=args.verbose):
        cfg = load_config(args.config, args.cfg_options)
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(test_folder(args.config, args.cfg_options))
        prepare_test(cfg, args.checkpoint)
        apply_arguments(cfg, args)
        if args.dump:
            dump_predictions(cfg, args.dump)
        runner = build_runner(cfg)
        dataset = runner.test_loop.dataloader.dataset
        if is_main_process():
            classes = getattr(dataset, 'metainfo', {}).get('classes') or ()
            record_test(runner.log_dir, config_name(args.config), cfg, args.checkpoint, args.dump, classes)
        runner.test()
    leave_process_group()


if __name__ == '__main__':
    main()
