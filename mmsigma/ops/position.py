"""Fixed position tables of masked video transformers."""

import torch
from torch import Tensor


def sincos_position_table(num_positions: int, dim: int) -> Tensor:
    """Return an interleaved sine-cosine table over the flattened token index.

    ``angle(p, j) = p / 10000 ** (2 * floor(j / 2) / dim)``; even columns hold the sine, odd ones the cosine. The table
    is one-dimensional even for video: tokens are numbered in (t, h, w) order (VideoMAE, SIGMA). It is computed in
    float64 on the CPU, so that it is the same on every device.

    Args:
        num_positions: Number of tokens N.
        dim: Width of the table.

    Returns:
        Table ``(N, dim)``, float32.
    """
    column = torch.arange(dim, dtype=torch.float64)
    frequency = 10000 ** (-2 * torch.div(column, 2, rounding_mode='floor') / dim)
    angle = torch.arange(num_positions, dtype=torch.float64)[:, None] * frequency
    angle[:, 0::2] = angle[:, 0::2].sin()
    angle[:, 1::2] = angle[:, 1::2].cos()
    return angle.float()


def resize_position_table(table: Tensor, old_grid: tuple[int, ...], new_grid: tuple[int, ...]) -> Tensor:
    """Resize a table separably along t, h and w.

    The one-dimensional table of :func:`sincos_position_table` changes its meaning with the grid, since token (t, h, w)
    gets another index. Resizing preserves what a trained model has learnt about positions; rebuilding does not.

    Args:
        table: Table ``(N, dim)`` with N the product of ``old_grid``.
        old_grid: Token grid (T, H, W) that the table was made for.
        new_grid: Token grid (T', H', W') to resize to.

    Returns:
        Table ``(N', dim)`` with N' the product of ``new_grid``.
    """
    if old_grid == new_grid:
        return table
    volume = table.T.reshape(1, -1, *old_grid)
    volume = torch.nn.functional.interpolate(volume, size=new_grid, mode='trilinear', align_corners=False)
    return volume.flatten(2)[0].T.contiguous()
