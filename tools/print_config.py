"""Print a config as a run sees it: with bases merged, variables computed, and options applied.

Errors in the config go to the standard error, with exit status 1, so that the output can be piped or saved.

Example::

    python tools/print_config.py configs/sigma/vitb_k400_mlp.py --cfg-options data_root=my_videos batch_size=8
"""

import argparse
import sys

from mmsigma.utils.options import CommandParser, OptionAction


def parse_args() -> argparse.Namespace:
    parser = CommandParser(description=__doc__.partition('\n')[0])
    parser.add_argument('config', help='config file, or package::path of an installed one')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionAction,
        default={},
        help='key=value pairs; variables of the config (data_root=..., epochs=...) and dotted keys',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmsigma.utils.config import load_config  # takes seconds, which --help should not
    from mmsigma.utils.preflight import ConfigError, check_config

    try:
        cfg = load_config(args.config, args.cfg_options)
    except (FileNotFoundError, ConfigError) as error:
        raise SystemExit(str(error)) from error
    sys.stdout.write(cfg.pretty_text)
    try:
        check_config(cfg)
    except ConfigError as error:
        raise SystemExit(f'{args.config}: {error}') from error


if __name__ == '__main__':
    main()
