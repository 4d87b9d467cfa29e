"""Masks over the tubes of a clip: random ones (VideoMAE; SIGMA), and those that follow motion (MGMAE)."""

from typing import Any, Literal

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmsigma.ops import bump_map, carry_map, num_visible_tubes, split_by_map
from mmsigma.registry import TRANSFORMS


class _Mask(BaseTransform):
    """Base class that adds ``mask``, bool ``(T * H * W,)``, True where masked, and ``mask_grid``, (T, H, W)."""

    def __init__(self, grid: tuple[int, int, int] = (8, 14, 14), mask_ratio: float = 0.9) -> None:
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio must be strictly between 0 and 1, got {mask_ratio}')
        self.grid, self.mask_ratio = tuple(grid), mask_ratio
        num_masked = self._draw().sum()
        if num_masked == 0:
            raise ValueError(
                f'mask_ratio {mask_ratio} masks none of the tokens of a grid {self.grid}: use a larger ratio or grid'
            )

    def _draw(self) -> np.ndarray:
        raise NotImplementedError

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results['mask'], results['mask_grid'] = self._draw(), self.grid
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grid={self.grid}, mask_ratio={self.mask_ratio})'


def _shuffled(num_tokens: int, mask_ratio: float) -> np.ndarray:
    """Draw a mask ``(num_tokens,)``, bool, with floor(mask_ratio * num_tokens) entries set."""
    mask = np.arange(num_tokens) < int(mask_ratio * num_tokens)
    np.random.shuffle(mask)
    return mask


@TRANSFORMS.register_module()
class TubeMask(_Mask):
    """Draw one pattern of masked cells per clip, equal for all times (VideoMAE; SIGMA): floor(ratio * H * W) per time.

    Args:
        grid: Token grid (T, H, W).
        mask_ratio: Fraction of tokens to mask, between 0 and 1.
    """

    def _draw(self) -> np.ndarray:
        times, height, width = self.grid
        return np.tile(_shuffled(height * width, self.mask_ratio), times)


@TRANSFORMS.register_module()
class RandomMask(_Mask):
    """Mask tokens independently of each other, floor(ratio * T * H * W) in total.

    Args:
        grid: Token grid (T, H, W).
        mask_ratio: Fraction of tokens to mask, between 0 and 1.
    """

    def _draw(self) -> np.ndarray:
        return _shuffled(int(np.prod(self.grid)), self.mask_ratio)


@TRANSFORMS.register_module()
class MotionGuidedMask(BaseTransform):
    """Mask all but the tubes that follow some cells of the middle frame along the optical flow (MGMAE, ICCV 2023).

    int(N * (1 - ratio)) of the N tubes of every slot of time are visible, one fewer than of :class:`TubeMask` with 14 x
    14 cells and a ratio of 0.9. The flow is OpenCV's DIS, which needs no network; for that of RAFT, on the device, see
    :class:`mmsigma.models.MotionGuidedPreprocessor`.

    Required key: ``imgs``, of the size that the model gets. Added keys: ``mask``, bool ``(T * H * W,)``, and
    ``mask_grid``.

    Args:
        grid: Token grid (T, H, W).
        mask_ratio: Fraction of tokens to mask, between 0 and 1.
        base: Frame with the drawn cells, ``'middle'``, ``'first'`` or ``'random'``.
        fill: Whether pixels that nothing is carried to have the map of the base frame, see
            :func:`mmsigma.ops.carry_map`.
        preset: Effort of the flow, ``'ultrafast'``, ``'fast'`` or ``'medium'``.

    Raises:
        ValueError: If ``mask_ratio`` leaves no tube or all visible, or ``base`` or ``preset`` is unknown.
    """

    def __init__(
        self,
        grid: tuple[int, int, int] = (8, 14, 14),
        mask_ratio: float = 0.9,
        *,
        base: Literal['middle', 'first', 'random'] = 'middle',
        fill: bool = True,
        preset: Literal['ultrafast', 'fast', 'medium'] = 'ultrafast',
    ) -> None:
        if base not in _BASES or preset not in _PRESETS:
            raise ValueError(f'base must be one of {_BASES} and preset one of {list(_PRESETS)}, got {base=}, {preset=}')
        self.grid, self.mask_ratio, self.base, self.fill, self.preset = tuple(grid), mask_ratio, base, fill, preset
        self.num_visible = num_visible_tubes(grid[1] * grid[2], mask_ratio)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the mask.

        Raises:
            ValueError: If the frames do not divide into the grid.
        """
        frames = np.asarray(results['imgs'])
        (times, rows, columns), (num_frames, height, width) = self.grid, frames.shape[:3]
        patch_size = height // rows
        if (num_frames % times, height, width) != (0, rows * patch_size, columns * patch_size):
            raise ValueError(f'{num_frames} frames of {height} x {width} do not divide into the grid {self.grid}')
        base = {'middle': num_frames // 2, 'first': 0}.get(self.base)
        base = np.random.randint(num_frames) if base is None else base
        cells = np.random.permutation(rows * columns)[: rows * columns - int(self.mask_ratio * rows * columns)]
        base_map = bump_map(torch.from_numpy(cells), (rows, columns), patch_size)
        maps = carry_map(base_map[None], self._flows(frames, base), base, fill=self.fill)
        split = split_by_map(maps, num_frames // times, patch_size, self.num_visible)
        mask = np.zeros(times * rows * columns, bool)
        mask[split.masked[0].numpy()] = True
        results['mask'], results['mask_grid'] = mask, self.grid
        return results

    def _flows(self, frames: np.ndarray, base: int) -> torch.Tensor:
        """Return the flow ``(1, T, 2, H, W)`` from each frame to its neighbour nearer to the base."""
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        search = cv2.DISOpticalFlow_create(_PRESETS[self.preset])  # type: ignore[attr-defined]  # lacks a stub
        flows = np.zeros((len(frames), *frames.shape[1:3], 2), np.float32)
        for number in range(len(frames)):
            if number != base:
                flows[number] = search.calc(grey[number], grey[number - 1 if number > base else number + 1], None)
        return torch.from_numpy(flows).permute(0, 3, 1, 2)[None]

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grid={self.grid}, mask_ratio={self.mask_ratio}, base={self.base!r})'


_BASES = ('middle', 'first', 'random')
_PRESETS = {
    'ultrafast': cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    'fast': cv2.DISOPTICAL_FLOW_PRESET_FAST,
    'medium': cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
