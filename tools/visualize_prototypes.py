"""Draw what the prototypes of a trained SIGMA stand for, and its features as colours.

For every video: an image and a video with the 25 tubes most similar to each of some prototypes (SIGMA, supplement,
figures 1-2), and a video of the encoder's features, whose principal components become red, green and blue.

Examples::

    python tools/visualize_prototypes.py configs/sigma/vitb_k400_dino.py sigma.pth my_videos/ --out prototypes
    python tools/visualize_prototypes.py CONFIG CHECKPOINT my_video.mp4 --prototypes 17 512 803
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of pre-training, a file or package::path')
    parser.add_argument(
        'checkpoint', help='checkpoint file, including official ones; - if the config is the checkpoint of a run'
    )
    parser.add_argument('videos', type=Path, help='a video, a folder of videos, or a folder of frames')
    parser.add_argument('--out', type=Path, default=Path('prototypes'), help='folder to fill (default: %(default)s)')
    parser.add_argument(
        '--prototypes', type=int, nargs='+', help='prototypes to draw (default: those that stand out in the video)'
    )
    parser.add_argument(
        '--number', type=int, default=6, help='number of prototypes, if none is named (default: %(default)s)'
    )
    parser.add_argument('--top', type=int, default=25, help='number of tubes per prototype (default: %(default)s)')
    parser.add_argument('--level', type=int, default=0, help='level of prototypes, if there are several')
    parser.add_argument(
        '--interval', type=int, default=4, help='stride between frames of the clip (default: %(default)s)'
    )
    parser.add_argument('--height', type=int, help='height of the videos in pixels; default: as many as they need')
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow the checkpoint to execute code')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def run(args: argparse.Namespace) -> None:
    from rich.progress import track

    from mmsigma.apis.clustering_reports import DrawnPrototypes, write_prototypes_report
    from mmsigma.apis.predictions import find_videos_of, names_of
    from mmsigma.apis.prototype_viewer import PrototypeViewer
    from mmsigma.checkpoints.files import sha256_of

    given = None if args.checkpoint == '-' else args.checkpoint
    view = PrototypeViewer(
        args.config, given, device=args.device, options=args.cfg_options, trust=args.trust_checkpoint
    )
    settings = dict(number=args.number, top=args.top, level=args.level, interval=args.interval)
    videos, failed, drawn = find_videos_of(args.videos), [], {}
    names = dict(zip(videos, names_of(videos, args.videos), strict=True))
    for path, name in track(names.items(), 'videos', disable=len(videos) == 1):
        try:
            found = view(path, args.prototypes or (), **settings)
        except ValueError as error:
            if len(videos) == 1:
                raise
            failed.append(str(error))
        else:
            found.write(args.out / name, args.height)
            drawn[name] = DrawnPrototypes(list(found.drawn), found.counts())
            print(f'{name}: {found.caption}')
    print(f'{len(drawn)} videos drawn in {args.out}')
    if drawn:
        facts = {'config': args.config, 'checkpoint': given or args.config}
        facts |= {'SHA-256 of the checkpoint': sha256_of(given or args.config), 'videos from': args.videos}
        print(write_prototypes_report(args.out, drawn, facts))
    if failed:
        print(f'{len(failed)} could not be drawn:\n' + '\n'.join(failed))


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line(args.config, verbose=args.verbose):
        run(args)


if __name__ == '__main__':
    main()
