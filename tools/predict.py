"""Predict what a trained model finds in videos: labels, counts, masks, points, clusters, features or an alignment.

The kind of model of the config decides. Labels and counts of all videos are written to predictions.csv, everything else
to a folder for each video.

Examples::

    python tools/predict.py configs/finetune/vitb_k400.py k400.pth my_videos/ --classes data/kinetics400/classes.txt
    python tools/predict.py work_dirs/finetune/vitb_k400/epoch_100.pth - one.mp4 two.mp4
    python tools/predict.py configs/vos/vitb.py sigma.pth my_video.mp4 --mask my_mask.png
    python tools/predict.py configs/gta/gta_penn_action.py gta.pth mine.mp4 expert.mp4
"""

import argparse
from pathlib import Path
from typing import Any

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, package::path of an installed one, or checkpoint of a run')
    parser.add_argument('checkpoint', help='weights of the model; - for those that the config names or contains')
    parser.add_argument(
        'videos', type=Path, nargs='+', help='videos, folders of frames, or folders of videos; two to be aligned'
    )
    parser.add_argument('--out', type=Path, default=Path('predictions'), help='folder to fill (default: %(default)s)')
    parser.add_argument('--mask', type=Path, nargs='+', help='mask of the first frame of each video, to segment it')
    parser.add_argument(
        '--points', type=Path, nargs='+', help='points of the first frame of each video, to track: .csv or .npy'
    )
    parser.add_argument('--classes', type=Path, help='file with a class name per line (default: of the checkpoint)')
    parser.add_argument('--top-k', type=int, default=5, help='number of classes per video (default: %(default)s)')
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument(
        '--precision',
        default='float32',
        choices=['float32', 'auto', 'bfloat16', 'float16'],
        help='auto is the fastest of the device (default: %(default)s)',
    )
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow the checkpoint to execute code')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def check_arguments(args: argparse.Namespace, kind: type[Any]) -> None:
    """Check that a kind of inferencer gets what it needs, and nothing else.

    Raises:
        ValueError: If it does not; the message names the option.
    """
    from mmsigma.apis import KeypointTracker, VideoAligner, VideoClassifier, VideoSegmenter

    for option, owner in (('mask', VideoSegmenter), ('points', KeypointTracker), ('classes', VideoClassifier)):
        if getattr(args, option) and kind is not owner:
            raise ValueError(f'--{option} is for {owner.__name__}, but the config has a model for {kind.__name__}')
    for option, owner in (('mask', VideoSegmenter), ('points', KeypointTracker)):
        if kind is owner and not getattr(args, option):
            raise ValueError(f'the model needs --{option}, of the first frame of each video')
    if kind is VideoAligner and len(args.videos) != 2:
        raise ValueError(f'the model aligns two videos, got {len(args.videos)}')


def run(args: argparse.Namespace) -> None:
    from mmsigma.apis import VideoAligner
    from mmsigma.apis.predictions import Predictions, inferencer_of, list_requests
    from mmsigma.utils.progress import waiting

    kind: Any = inferencer_of(args.config, args.cfg_options, trust=args.trust_checkpoint)
    check_arguments(args, kind)
    requests = list_requests(args.videos, args.mask or args.points)
    extra = dict(classes=args.classes) if args.classes else {}
    infer = kind(
        args.config,
        None if args.checkpoint == '-' else args.checkpoint,
        device=args.device,
        precision=args.precision,
        options=args.cfg_options,
        trust=args.trust_checkpoint,
        **extra,
    )
    if kind is VideoAligner:
        with waiting('aligning'):
            found = infer(*args.videos)
        found.save(args.out)
        print(f'{found.name}: {found.caption}; written to {args.out}')
        return
    predictions = Predictions(args.out)
    predictions.run(infer, requests, print, top_k=args.top_k)
    print(f'{predictions.done} videos, results in {args.out}')
    if predictions.failed:
        print(f'{len(predictions.failed)} were left out:\n' + '\n'.join(f'  {reason}' for reason in predictions.failed))


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line(args.config, verbose=args.verbose):
        run(args)


if __name__ == '__main__':
    main()
