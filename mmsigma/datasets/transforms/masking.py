"""Which tubes are masked."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.registry import TRANSFORMS


class _Mask(BaseTransform):
    """Adds ``mask``, bool (T * H * W,), True where a tube is masked, and ``mask_grid``, (T, H, W)."""

    def __init__(self, grid: tuple[int, int, int] = (8, 14, 14), mask_ratio: float = 0.9) -> None:
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio must lie between 0 and 1, both excluded, got {mask_ratio}')
        self.grid, self.mask_ratio = tuple(grid), mask_ratio
        num_masked = self._draw().sum()
        if num_masked == 0:
            raise ValueError(f'mask_ratio {mask_ratio} masks none of the {self.grid} tokens')

    def _draw(self) -> np.ndarray:
        raise NotImplementedError

    def transform(self, results: dict) -> dict:
        results['mask'], results['mask_grid'] = self._draw(), self.grid
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grid={self.grid}, mask_ratio={self.mask_ratio})'


def _shuffled(num_tokens: int, mask_ratio: float) -> np.ndarray:
    mask = np.arange(num_tokens) < int(mask_ratio * num_tokens)
    np.random.shuffle(mask)
    return mask


@TRANSFORMS.register_module()
class TubeMask(_Mask):
    """One random pattern per clip, the same at every time (VideoMAE; SIGMA): floor(ratio * H * W) tubes per time.

    Args:
        grid: Token grid (T, H, W).
        mask_ratio: Share of masked tokens.
    """

    def _draw(self) -> np.ndarray:
        times, height, width = self.grid
        return np.tile(_shuffled(height * width, self.mask_ratio), times)


@TRANSFORMS.register_module()
class RandomMask(_Mask):
    """Tokens masked independently of each other: floor(ratio * T * H * W) of them.

    Args:
        grid: Token grid (T, H, W).
        mask_ratio: Share of masked tokens.
    """

    def _draw(self) -> np.ndarray:
        return _shuffled(int(np.prod(self.grid)), self.mask_ratio)
