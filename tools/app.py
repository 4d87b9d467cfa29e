"""Serve a web app that segments, aligns and searches videos and shows prototypes, in a browser.

Each use takes a config and a checkpoint, or the checkpoint of a run alone. Uses without one have a small model, which
has learned nothing; the page says so.

Examples::

    mmsigma app
    mmsigma app --segment configs/vos/vitb.py sigma.pth --align work_dirs/demo_align/epoch_20.pth --videos my_videos/
"""

import argparse
import importlib.util
from pathlib import Path

from mmsigma.utils.options import CommandParser
from mmsigma.utils.torch_environment import set_torch_environment

USES = {
    'segment': 'model that segments, of configs/vos or configs/mask_vos (default: a small network that comes along)',
    'align': 'model that aligns, of configs/gta',
    'search': 'model whose features are searched, of configs/knn or pre-training',
    'prototypes': 'model whose prototypes are shown, of configs/sigma',
}


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ('--segment', '--align', '--search', '--prototypes'):
        about = USES[option.removeprefix('--')]
        parser.add_argument(option, nargs='+', metavar=('CONFIG', 'CHECKPOINT'), help=about)
    parser.add_argument('--videos', type=Path, help='folder of videos to search (default: generated ones)')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to listen on; 0.0.0.0 is open to the network (default: %(default)s)',
    )
    parser.add_argument('--port', type=int, default=7860, help='default: %(default)s')
    parser.add_argument('--max-upload', default='200mb', help='size of an uploaded file (default: %(default)s)')
    parser.add_argument('--max-seconds', type=float, default=60.0, help='length of a video (default: %(default)s)')
    parser.add_argument(
        '--short-side',
        type=int,
        default=360,
        help='short side of the frames that are segmented; larger ones are reduced (default: %(default)s)',
    )
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow checkpoints to execute code')
    args = parser.parse_args()
    for use in USES:
        if len(getattr(args, use) or ()) > 2:
            parser.error(f'--{use} takes a config and a checkpoint, got {len(getattr(args, use))} arguments')
    if args.max_seconds <= 0:
        parser.error(f'--max-seconds must be positive, got {args.max_seconds:g}')
    if args.short_side < 1:
        parser.error(f'--short-side must be positive, got {args.short_side}')
    return args


def run(args: argparse.Namespace) -> None:
    import signal
    from threading import Event

    from mmsigma.app.page import serve
    from mmsigma.app.settings import Chosen, Settings

    chosen = {use: Chosen(*getattr(args, use)) for use in USES if getattr(args, use)}
    settings = Settings(
        **chosen,
        videos=args.videos,
        max_upload=args.max_upload,
        max_seconds=args.max_seconds,
        short_side=args.short_side,
        device=args.device,
        trust=args.trust_checkpoint,
    )
    # of systemd and docker: otherwise, the files of visitors would stay
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with serve(settings, args.host, args.port, say=print) as address:
        print(f'The app is at {address}; press Ctrl+C to stop it.')
        Event().wait()


def main() -> None:
    args = parse_args()
    set_torch_environment()
    if importlib.util.find_spec('gradio') is None:
        raise SystemExit("the web app needs Gradio: pip install 'mmsigma[app]'")
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line('app', verbose=args.verbose):
        run(args)


if __name__ == '__main__':
    main()
