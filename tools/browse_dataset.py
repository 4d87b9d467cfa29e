"""Show what a model is fed: frames of each clip with the crop, the transformed frames, masks, views and pseudo masks.

Samples are drawn as in the first epoch of a run with the config's seed; a group of videos to align is one picture.
Titles name the rows, captions give frame numbers, seconds and phases. A config without training data shows its test
data. What a model does itself, such as the augmentation of GTA on the device, is not shown, except for motion-guided
masks.

Examples::

    python tools/browse_dataset.py configs/demo/sigma_tiny_demo_mlp.py --number 4
    python tools/browse_dataset.py configs/sigma/vitb_k400_mlp.py --cfg-options data_root=my_videos/ --video
    python tools/browse_dataset.py configs/mask_vos/r18_ytvos.py --rounds work_dirs/mask_vos/r18_ytvos/rounds
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser, OptionAction


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, or package::path of an installed one')
    parser.add_argument('--out', type=Path, default=Path('browse'), help='folder to fill (default: %(default)s)')
    parser.add_argument(
        '--split', choices=('train', 'val', 'test'), help='data to show; default: that for training, if there is any'
    )
    parser.add_argument(
        '--number', type=int, default=8, help='number of pictures, spread over the dataset (default: %(default)s)'
    )
    parser.add_argument('--columns', type=int, default=8, help='number of frames in an image (default: %(default)s)')
    parser.add_argument('--rounds', type=Path, help='folder of a run of Mask-VOS with the pseudo masks to draw')
    parser.add_argument('--video', action='store_true', help='write videos instead of images')
    parser.add_argument('--fps', type=float, default=8, help='frames per second of the videos (default: %(default)s)')
    parser.add_argument('--height', type=int, help='height of the videos in pixels; default: as many as they need')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    args = parser.parse_args()
    for name in ('number', 'columns'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} must be positive, got {getattr(args, name)}')
    return args


def main() -> None:
    args = parse_args()
    from rich.progress import Progress

    from mmsigma.apis.browsing import FedSamples, choose_split, write_group
    from mmsigma.checkpoints.files import CheckpointError
    from mmsigma.datasets.transforms.decoding import UnreadableVideoError
    from mmsigma.utils.config import load_config
    from mmsigma.utils.preflight import check_config
    from mmsigma.visualization.fed_samples import describe

    playing = dict(fps=args.fps, height=args.height) if args.video else None
    try:
        cfg = load_config(args.config, args.cfg_options)
        check_config(cfg)
        samples = FedSamples(cfg, choose_split(cfg, args.split), args.rounds)
        with Progress(transient=True) as bar:
            groups = bar.track(samples.groups(args.number), total=args.number, description='drawing')
            for index, group in groups:
                path = write_group(args.out, index, group, columns=args.columns, playing=playing)
                bar.console.out(f'{path}', *(f'   {describe(sample)}' for sample in group), sep='\n', highlight=False)
    except (OSError, ValueError, UnreadableVideoError, CheckpointError) as error:
        raise SystemExit(f'{args.config}: {error}') from error


if __name__ == '__main__':
    main()
