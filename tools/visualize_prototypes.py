"""Draw what the prototypes of a trained SIGMA stand for, and its features as colours.

For every video: an image and a video with the 25 tubes most similar to each of some prototypes (SIGMA, supplement,
figures 1-2), and a video of the encoder's features, whose principal components become red, green and blue.

Examples::

    python tools/visualize_prototypes.py configs/sigma/vitb_k400_dino.py sigma.pth my_videos/ --out prototypes
    python tools/visualize_prototypes.py CONFIG CHECKPOINT dog.mp4 --prototypes 17 512 803
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from mmsigma.utils.options import OptionAction


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of pre-training, a file or package::path')
    parser.add_argument('checkpoint', help='checkpoint file, including official ones')
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


def read_clip(path: Path, shape: tuple[int, int, int], interval: int) -> np.ndarray:
    """Read a clip ``(T, H, W, 3)`` from the middle of a video, cropped to its centre."""
    from mmsigma.datasets.transforms.spatial import resize_short_side
    from mmsigma.io.video import FrameReader

    length, height, width = shape
    reader = FrameReader(path)
    start = max(len(reader) - (length - 1) * interval - 1, 0) // 2
    numbers = [min(start + step * interval, len(reader) - 1) for step in range(length)]
    frames = np.stack(resize_short_side([reader.read(number) for number in numbers], max(height, width)))
    top, left = (frames.shape[1] - height) // 2, (frames.shape[2] - width) // 2
    return frames[:, top : top + height, left : left + width]


@torch.no_grad()
def encode(model: Any, clip: np.ndarray, level: int) -> tuple[Tensor, Tensor]:
    """Return similarities ``(N, K)`` of a clip's tubes and the prototypes, and the encoder's tokens ``(N, D)``."""
    video = torch.from_numpy(clip).permute(3, 0, 1, 2)
    inputs = model.data_preprocessor(dict(inputs=[video]), False)['inputs']
    return model.prototype_scores(inputs, level)[0].cpu(), model.backbone(inputs)[0].cpu()


def draw(model: Any, path: Path, name: Path, args: argparse.Namespace) -> list[int]:
    """Write the images of one video to files that begin with ``name``, and return the prototypes they show."""
    from mmsigma.io.video import write_playable
    from mmsigma.visualization.masked_video import mosaic, write_picture
    from mmsigma.visualization.prototypes import choose_prototypes, draw_prototypes_of, pca_colours

    grid = model.backbone.grid
    clip = read_clip(path, model.backbone.input_shape[1:], args.interval)
    scores, tokens = encode(model, clip, args.level)
    chosen = args.prototypes or choose_prototypes(scores, args.number, args.top)
    if beyond := [number for number in chosen if not 0 <= number < scores.shape[1]]:
        raise ValueError(f'there is no prototype {beyond[0]}: the numbers are 0 to {scores.shape[1] - 1}')
    drawn = draw_prototypes_of(clip, scores, grid, chosen, args.top)
    tubelet = len(clip) // grid[0]
    write_picture(f'{name}_prototypes.png', mosaic([list(frames[::tubelet]) for frames in (clip, *drawn.values())]))

    def panels() -> Iterator[np.ndarray]:
        for number, frame in enumerate(clip):
            yield mosaic([[frame, *(frames[number] for frames in drawn.values())]])

    write_playable(f'{name}_prototypes.mp4', panels(), fps=6, height=args.height)
    colours = pca_colours(tokens, grid, clip.shape[1:3]).repeat(tubelet, axis=0)
    pairs = (mosaic([list(pair)]) for pair in zip(clip, colours, strict=True))
    write_playable(f'{name}_features.mp4', pairs, fps=6, height=args.height)
    return chosen


def run(args: argparse.Namespace) -> None:
    from mmengine.registry import init_default_scope

    from mmsigma.apis.models import default_device
    from mmsigma.apis.predictions import find_videos_of, names_of
    from mmsigma.checkpoints.io import load_into_model, load_weights
    from mmsigma.models import SIGMA
    from mmsigma.registry import MODELS
    from mmsigma.utils.config import load_config
    from mmsigma.utils.preflight import check_config

    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('mmsigma')
    check_config(cfg)
    model = MODELS.build(cfg.model)
    if not isinstance(model, SIGMA) or not hasattr(model.head, 'prototypes'):
        raise ValueError(f'{args.config} has no prototypes: use a pre-training config with a PrototypeHead')
    levels = len(model.head.prototypes)
    if not 0 <= args.level < levels:
        raise ValueError(f'there is no level {args.level}: the levels are 0 to {levels - 1}')
    state = load_weights(args.checkpoint, trust=args.trust_checkpoint)
    load_into_model(model, state, origin=args.checkpoint, allow_missing=False)
    model.to(default_device(args.device)).eval()
    videos, failed = find_videos_of(args.videos), []
    names = dict(zip(videos, names_of(videos, args.videos), strict=True))
    for path, name in track(names.items(), 'videos', disable=len(videos) == 1):
        try:
            chosen = draw(model, path, args.out / name, args)
        except ValueError as error:
            if len(videos) == 1:
                raise
            failed.append(str(error))
        else:
            print(f'{name}: prototypes {chosen}')
    print(f'{len(videos) - len(failed)} videos drawn in {args.out}')
    if failed:
        print(f'{len(failed)} could not be drawn:\n' + '\n'.join(failed))


def main() -> None:
    args = parse_args()
    from mmsigma.apis.launch import errors_in_one_line

    with errors_in_one_line(args.config, verbose=args.verbose):
        run(args)


if __name__ == '__main__':
    main()
