"""Show what a model is fed: the original frames of each clip with the crop, the transformed frames, and the mask.

Clips are drawn as in the first epoch of a run with the config's seed. Each becomes an image with three rows or, with
``--video``, a video with three panels; mask and crop are left out if the pipeline has none.

Examples::

    python tools/browse_dataset.py configs/demo/sigma_tiny_demo_mlp.py --number 4
    python tools/browse_dataset.py configs/sigma/vitb_k400_mlp.py --cfg-options data_root=my_videos/ --video
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from torch import Tensor

from mmsigma import compat
from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.io.video import write_playable
from mmsigma.registry import DATASETS
from mmsigma.utils.config import load_config
from mmsigma.utils.options import OptionAction
from mmsigma.utils.preflight import ConfigError, check_config
from mmsigma.utils.seeding import seeded_numpy
from mmsigma.visualization.masked_video import grey_out, mosaic, write_picture

_CROP_COLOUR = (255, 60, 0)


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or package::path of an installed one')
    parser.add_argument('--out', type=Path, default=Path('browse'), help='folder to fill (default: %(default)s)')
    parser.add_argument(
        '--number', type=int, default=8, help='number of clips, spread over the dataset (default: %(default)s)'
    )
    parser.add_argument('--columns', type=int, default=8, help='number of frames in an image (default: %(default)s)')
    parser.add_argument('--video', action='store_true', help='write videos instead of images')
    parser.add_argument('--fps', type=float, default=8, help='frames per second of the videos (default: %(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


class Clip(NamedTuple):
    """A clip with the results of the pipeline.

    Attributes:
        index: Index in the dataset.
        original: Decoded frames, ``(H, W, 3)`` each, uint8; empty if unknown.
        inputs: Input of the model, ``(C, T, H, W)``, uint8.
        mask: Which tokens are masked, ``(N,)``, or None.
        grid: Token grid (T, H, W) of the mask.
        info: Metadata of the sample.
    """

    index: int  # type: ignore[assignment]  # hides the method of tuples, which nothing calls
    original: list[np.ndarray]
    inputs: Tensor
    mask: Tensor | None
    grid: tuple[int, int, int]
    info: dict[str, Any]

    @property
    def views(self) -> list[list[np.ndarray]]:
        """Original frames with the crop, input frames and masked frames, if available, of one size ``(H, W, 3)``."""
        height, width = self.inputs.shape[2:]
        views = [list(self.inputs.permute(1, 2, 3, 0).numpy())]
        if self.original:
            views.insert(0, [_fit(frame, self.info.get('crop_box'), height, width) for frame in self.original])
        if self.mask is not None:
            views.append(list(grey_out(self.inputs, self.mask, self.grid)))
        return views

    def describe(self) -> str:
        """Describe in words which part of which video the clip is."""
        parts = [f'{self.index}']
        if 'filename' in self.info:
            parts.append(self.info['filename'])
        if 'frame_inds' in self.info:
            parts.append(f'frames {np.ravel(self.info["frame_inds"]).tolist()}')
        if 'crop_box' in self.info:
            parts.append('crop x={} y={} width={} height={}'.format(*self.info['crop_box']))
        if self.mask is not None:
            parts.append(f'{int(self.mask.sum())} of {len(self.mask)} tokens masked')
        failures = [f'\n   could not be read: {name} ({reason})' for name, reason in self.info['failures']]
        return '  '.join(parts) + ''.join(failures)


class Recorder:
    """A pipeline that keeps the frames as they were decoded."""

    def __init__(self, pipeline: Any) -> None:
        self.steps = pipeline.transforms
        self.frames: list[np.ndarray] = []

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        self.frames = []
        for step in self.steps:
            results = step(results)
            if not self.frames and 'imgs' in results:
                self.frames = list(results['imgs'])
        return results

    @property
    def grid(self) -> tuple[int, int, int]:
        """Token grid of the mask."""
        grid: tuple[int, int, int] = next(step.grid for step in self.steps if hasattr(step, 'grid'))
        return grid


def draw_clips(cfg: Config, number: int) -> Iterator[Clip]:
    """Yield ``number`` clips of the training set after its pipeline."""
    init_default_scope(cfg.get('default_scope', 'mmsigma'))
    for handler in MMLogger.get_current_instance().handlers:
        handler.addFilter(compat.DropKnownNoise())
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    dataset.full_init()
    recorder = dataset.pipeline = Recorder(dataset.pipeline)
    seed = cfg.get('randomness', {}).get('seed') or 0
    for index in np.linspace(0, len(dataset) - 1, min(number, len(dataset))).astype(int).tolist():
        with seeded_numpy((seed, 0, index)):
            packed = dataset[index]
        sample, inputs = packed['data_samples'], packed['inputs']
        if inputs.ndim == 5:
            inputs = inputs[0]  # the first of several clips
        info = {'failures': (), **sample.metainfo}
        mask = sample.mask if 'mask' in sample else None
        grid = recorder.grid if mask is not None else (0, 0, 0)
        yield Clip(index, recorder.frames, _as_pixels(inputs), mask, grid, info)


def _as_pixels(clip: Tensor) -> Tensor:
    """Stretch normalised values to 0..255."""
    if clip.dtype == torch.uint8:
        return clip
    low, high = clip.min(), clip.max()
    return ((clip - low) / (high - low).clamp(min=1e-6) * 255).byte()


def _fit(frame: np.ndarray, box: tuple[int, int, int, int] | None, height: int, width: int) -> np.ndarray:
    """Fit a frame into (height, width) with white borders, and draw the box (x, y, width, height)."""
    scale = min(height / frame.shape[0], width / frame.shape[1])
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    if box is not None:
        left, top, right, bottom = (round(edge * scale) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
        cv2.rectangle(small, (left, top), (right - 1, bottom - 1), _CROP_COLOUR, max(1, min(size) // 80))
    out = np.full((height, width, 3), 255, np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    out[y : y + size[1], x : x + size[0]] = small
    return out


def write_clip(clip: Clip, folder: Path, *, columns: int, fps: float | None) -> Path:
    """Write one clip as an image, or as a video if there is a frame rate; return the file."""
    stem = Path(clip.info.get('filename', 'clip')).stem.replace(' ', '_')
    if fps:
        path = folder / f'{clip.index:06d}_{stem}.mp4'
        frames = [mosaic([list(panels)]) for panels in zip(*clip.views, strict=True)]
        write_playable(path, frames, fps)
        return path
    path = folder / f'{clip.index:06d}_{stem}.png'
    times = np.linspace(0, clip.inputs.shape[1] - 1, min(columns, clip.inputs.shape[1])).astype(int)
    write_picture(path, mosaic([[view[time] for time in times] for view in clip.views]))
    return path


def main() -> None:
    args = parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        check_config(cfg)
        if not cfg.get('train_dataloader'):
            raise ConfigError('it has no train_dataloader')
        for clip in draw_clips(cfg, args.number):
            path = write_clip(clip, args.out, columns=args.columns, fps=args.fps if args.video else None)
            print(f'{path}\n   {clip.describe()}')
    except (OSError, ValueError, UnreadableVideoError) as error:
        raise SystemExit(f'{args.config}: {error}') from error


if __name__ == '__main__':
    main()
