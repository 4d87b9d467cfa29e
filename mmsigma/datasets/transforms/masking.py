"""Random masks over the tubes of a clip (VideoMAE; SIGMA)."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

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
