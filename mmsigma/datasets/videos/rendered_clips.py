"""An endless stream of rendered clips whose every property is known, for controlled experiments.

A textured shape moves before a backdrop. *What* it is (texture, shape), *where* (cell of a 3 x 3 grid at the middle of
the clip), *how* it moves (direction, speed) and *when* in its pulse the clip is (phase) are drawn anew for every clip,
independently of each other and of colours, sizes and contrasts. Nothing is stored, and nothing is seen twice.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from mmcv.transforms import Compose
from torch.utils.data import Dataset

from mmsigma.registry import DATASETS, TRANSFORMS
from mmsigma.utils.seeding import seeded_numpy

Backdrop = Literal['texture', 'noise', 'plain']
FACTORS = dict(texture=6, shape=6, position=9, direction=8, speed=3, phase=4)
"""Number of classes of every property."""

_SPEEDS = (0.012, 0.03, 0.05)  # of the side of a frame, per frame
_NOISE = 3.0  # standard deviation of the backdrop 'noise', in grey levels


def draw_factors(rng: np.random.Generator) -> dict[str, int]:
    """Draw a class of every property, uniformly and independently."""
    return {name: int(rng.integers(number)) for name, number in FACTORS.items()}


def render_clip(
    rng: np.random.Generator, num_frames: int = 8, size: int = 64, backdrop: Backdrop = 'texture', **given: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Render a clip.

    Args:
        rng: Generator of everything that is drawn.
        num_frames: Number of frames.
        size: Side of a frame in pixels.
        backdrop: What is behind the shape: a smooth texture, a plain colour with faint noise, or a plain colour.
        **given: Classes of properties that are not drawn.

    Returns:
        Frames ``(T, size, size, 3)``, uint8, and the class of every property.
    """
    factors = {**draw_factors(rng), **given}
    behind = _backdrop(rng, size, backdrop)
    pattern, mask = _texture(rng, factors['texture'], size), _shape(factors['shape'], size)
    side = rng.uniform(0.26, 0.36)  # of the shape, relative to the frame
    angle = math.tau * factors['direction'] / 8 + rng.uniform(-0.15, 0.15)
    step = _SPEEDS[factors['speed']] * np.array([math.sin(angle), math.cos(angle)])
    row, column = divmod(factors['position'], 3)
    middle = np.array([0.25 + 0.25 * row, 0.25 + 0.25 * column]) + rng.uniform(-0.06, 0.06, 2)
    turn = math.tau * (factors['phase'] + rng.uniform(0.1, 0.9)) / 4
    frames = []
    for number in range(num_frames):
        time = number - (num_frames - 1) / 2
        scale = side * (1 + 0.35 * math.sin(turn + math.tau * time / (2 * num_frames)))
        frames.append(_paste(behind, pattern, mask, middle + step * time, scale))
    clip = np.stack(frames)
    if backdrop == 'noise':
        clip = clip + rng.normal(0, _NOISE, clip.shape)
    return clip.clip(0, 255).astype(np.uint8), factors


def _paste(behind: np.ndarray, pattern: np.ndarray, mask: np.ndarray, centre: np.ndarray, scale: float) -> np.ndarray:
    """Put a shape of a relative size on the backdrop, with its texture, at a centre (y, x) in 0..1."""
    size = len(behind)
    shift = size * (centre[::-1] - scale / 2)  # x, y of its corner
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    alpha, surface = (cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_AREA) for part in (mask, pattern))
    alpha = alpha[..., None]
    blended: np.ndarray = (1 - alpha) * behind + alpha * surface
    return blended


def _backdrop(rng: np.random.Generator, size: int, kind: Backdrop) -> np.ndarray:
    base = rng.uniform(60, 190, 3)
    if kind != 'texture':
        return np.broadcast_to(base, (size, size, 3)).astype(np.float32)
    coarse = rng.normal(0, 1, (size // 4, size // 4, 3)).astype(np.float32)
    smooth = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 1.5), (size, size), interpolation=cv2.INTER_CUBIC)
    textured: np.ndarray = (base + 30 * smooth / smooth.std()).astype(np.float32)
    return textured


def _texture(rng: np.random.Generator, kind: int, size: int) -> np.ndarray:
    """Return a texture of two colours, ``(size, size, 3)``: stripes in four directions, a checkerboard, or dots."""
    first, second = _distinct_colours(rng)
    period = size * rng.uniform(0.2, 0.34)
    y, x = np.mgrid[:size, :size] + rng.uniform(0, period, (2, 1, 1))
    waves = [np.sin(math.tau * part / period) for part in (y, x, (x + y) / math.sqrt(2), (x - y) / math.sqrt(2))]
    level = (*waves, waves[0] * waves[1], np.maximum(waves[0], 0) * np.maximum(waves[1], 0) - 0.3)[kind]
    bright = (level > 0)[..., None]
    surface: np.ndarray = np.where(bright, first, second).astype(np.float32)
    return surface


def _distinct_colours(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first = rng.uniform(0, 255, 3)
    away = np.where(first > 127, -1, 1) * rng.uniform(90, 127, 3)
    return first, first + away


def _shape(kind: int, size: int) -> np.ndarray:
    """Return a disk, square, triangle, ring, cross or bar, 1 inside, ``(size, size)``, float32."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size * 2 - 1
    radius = np.hypot(x, y)
    inside = (
        radius < 0.9,
        np.maximum(abs(x), abs(y)) < 0.8,
        (y < 0.75) & (abs(x) < (y + 0.9) / 1.75),
        (radius < 0.95) & (radius > 0.5),
        (np.minimum(abs(x), abs(y)) < 0.3) & (np.maximum(abs(x), abs(y)) < 0.95),
        (abs(y) < 0.38) & (abs(x) < 0.95),
    )[kind]
    filled: np.ndarray = inside.astype(np.float32)
    return filled


@DATASETS.register_module()
class RenderedClips(Dataset[dict[str, Any]]):
    """Clips of :func:`render_clip`, rendered when they are asked for.

    With :class:`mmsigma.datasets.SeededSampler`, clips differ in every epoch.

    Args:
        pipeline: Transforms of the frames ``imgs``, which end with a mask and ``PackVideoInputs``.
        length: Number of clips of an epoch.
        num_frames: Number of frames of a clip.
        size: Side of a frame in pixels.
        backdrop: See :func:`render_clip`.
    """

    def __init__(
        self,
        pipeline: Sequence[dict[str, Any]],
        length: int = 3200,
        num_frames: int = 8,
        size: int = 64,
        backdrop: Backdrop = 'texture',
    ) -> None:
        self.pipeline, self.length = Compose([TRANSFORMS.build(step) for step in pipeline]), length
        self.num_frames, self.size, self.backdrop = num_frames, size, backdrop

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Any]:
        seed = getattr(index, 'seed', (0, 0, int(index)))
        frames, factors = render_clip(np.random.default_rng(seed), self.num_frames, self.size, self.backdrop)
        results = dict(
            imgs=list(frames),
            filename=f'rendered clip {int(index)}',
            frame_inds=np.arange(self.num_frames),
            factors=factors,
        )
        with seeded_numpy(seed):
            packed: dict[str, Any] = self.pipeline(results)
        return packed
