"""Conversion between key-points and maps over cells, for propagating poses (CRW, after Li et al. 2019)."""

import torch
from torch import Tensor


def gaussian_labels(points: Tensor, size: tuple[int, int], sigma: float = 0.5) -> Tensor:
    """Draw a Gaussian of height 1 around each point.

    The Gaussian is drawn on a patch of ``int(6 * sigma + 1)`` cells a side, which begins at the point minus
    ``3 * sigma``, truncated towards 0. With ``sigma=0.5``, the peak is in the cell nearest to the point, except for
    points less than 1.5 cells from 0.

    Args:
        points: Coordinates (x, y) in cells, ``(N, 2)``. The map of a point stays empty if its patch lies outside or
            the point is not finite.
        size: Height and width (h, w) of the maps in cells.
        sigma: Standard deviation in cells.

    Returns:
        One map per point, ``(h, w, N)``, float32.

    Raises:
        ValueError: If ``points`` has another shape.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'points must have the shape (N, 2), got {tuple(points.shape)}')
    side = int(6 * sigma + 1)
    # far outside instead of nan, which cannot be truncated
    points = points.double().nan_to_num(-1e6, -1e6, -1e6).clamp(-1e6, 1e6)
    start, stop = (points - 3 * sigma).trunc(), (points + 3 * sigma + 1).trunc()
    axes = []
    for axis, cells in ((1, size[0]), (0, size[1])):
        offset = torch.arange(cells, device=points.device)[:, None] - start[:, axis]
        bell = torch.exp(-((offset - side // 2) ** 2) / (2 * sigma**2))
        on_patch = (offset >= 0) & (offset < torch.minimum(stop[:, axis] - start[:, axis], torch.tensor(side)))
        axes.append(bell * on_patch)
    return (axes[0][:, None] * axes[1][None]).float()


def weighted_points(maps: Tensor, k: int = 3) -> Tensor:
    """Locate the point of each map as the mean position of its ``k`` largest cells, weighted by their values.

    Args:
        maps: Non-negative maps, ``(h, w, N)``.
        k: Number of cells to average.

    Returns:
        Coordinates (x, y) in cells, ``(N, 2)``; -1 for a map that is zero everywhere.

    Raises:
        ValueError: If the maps have fewer than ``k`` cells.
    """
    height, width, _ = maps.shape
    if k > height * width:
        raise ValueError(f'cannot take the {k} largest of {height} x {width} cells: use a smaller k or larger maps')
    values, cells = maps.flatten(0, 1).topk(k, dim=0)
    total = values.sum(dim=0)
    weights = values / total.clamp(min=torch.finfo(values.dtype).tiny)
    places = torch.stack([(weights * (cells % width)).sum(dim=0), (weights * (cells // width)).sum(dim=0)], dim=-1)
    return torch.where(total[:, None] > 0, places, -1.0)
