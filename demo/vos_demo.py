"""Segment the objects of a video, given a mask of its first frame; writes palette PNGs and an overlay video.

python demo/vos_demo.py my_video.mp4 --mask my_mask.png --out results/mine
python demo/vos_demo.py frames/ --mask 0.png --mask-at 30 late.png --config configs/vos/vitb.py sigma.pth
"""

import argparse

from rich.progress import Progress

from mmsigma.utils.options import CommandParser, OptionAction
from mmsigma.utils.torch_environment import set_torch_environment

CONFIG = 'mmsigma::vos/resnet10t'


def parse_args() -> argparse.Namespace:
    parser = CommandParser(description=__doc__.splitlines()[0])
    parser.add_argument('video', help='a video file, or a folder of frames')
    parser.add_argument('checkpoint', nargs='?', help='weights of the encoder, unless the config names them')
    parser.add_argument('--mask', required=True, help='objects in the first frame: palette PNG, binary PNG or .npy')
    parser.add_argument(
        '--mask-at', nargs=2, action='append', default=[], metavar=('FRAME', 'MASK'), help='objects that appear later'
    )
    parser.add_argument('--out', default='vos_results', help='folder of masks/ and overlay.mp4')
    parser.add_argument('--config', help=f'one of configs/vos (default: that of the checkpoint, or {CONFIG})')
    parser.add_argument('--opacity', type=float, default=0.5, help="opacity of the objects' colours in the overlay")
    parser.add_argument('--height', type=int, help='height of the overlay in pixels; default: that of the video')
    parser.add_argument('--device', help='cpu or cuda')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    parser.add_argument('--trust-checkpoint', action='store_true', help='allow the checkpoint to execute code')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    args = parser.parse_args()
    if not 0 <= args.opacity <= 1:
        parser.error(f'--opacity must be between 0 and 1, got {args.opacity:g}')
    args.masks = {0: args.mask}
    for frame, mask in args.mask_at:
        if not frame.isdecimal():
            parser.error(f'--mask-at needs the number of a frame, got {frame!r}')
        if (other := args.masks.setdefault(int(frame), mask)) != mask:
            parser.error(f'frame {int(frame)} has two masks, {other} and {mask}: draw all of its objects into one')
    return args


def main() -> None:
    args = parse_args()
    set_torch_environment()
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.apis.models import named_or_own_config
    from mmsigma.apis.video_segmenter import VideoSegmenter

    with errors_in_one_line(args.config or args.checkpoint or CONFIG, verbose=args.verbose):
        segment = VideoSegmenter(
            *named_or_own_config(args.config, args.checkpoint, CONFIG, trust=args.trust_checkpoint),
            device=args.device,
            options=args.cfg_options,
            trust=args.trust_checkpoint,
        )
        with Progress() as bar:
            task = bar.add_task('frames', total=None)
            result = segment.write(
                args.video,
                args.masks,
                args.out,
                opacity=args.opacity,
                height=args.height,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    print(
        f'{result.num_frames} frames, objects {result.ids}, {result.seconds / result.num_frames:.2f} s a frame\n'
        f'masks    {result.masks}\noverlay  {result.overlay}'
    )


if __name__ == '__main__':
    main()
