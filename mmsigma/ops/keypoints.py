"""Key-points as maps over cells and back (CRW, after Li et al. 2019)."""

import torch
from torch import Tensor


def gaussian_labels(points: Tensor, size: tuple[int, int], sigma: float = 0.5) -> Tensor:
    """Draw a bell of height 1 around each point.

    It lies on a patch of ``int(6 * sigma + 1)`` cells a side that begins at the point less ``3 * sigma``, with the
    fraction cut off towards 0. With a ``sigma`` of 0.5, the peak is in the cell nearest to the point, but for points
    less than 1.5 from 0.

    Args:
        points: (x, y) in cells, (N, 2). Nothing is drawn of one whose patch is outside, or that is not finite.
        size: (h, w) of the maps.
        sigma: Standard deviation in cells.

    Returns:
        (h, w, N), float32.

    Raises:
        ValueError: If points are not of that shape.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f'points have to be (N, 2), got {tuple(points.shape)}')
    side = int(6 * sigma + 1)
    # far outside instead of nan, which has no whole part
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
    """Where each map has its point: the mean place of its ``k`` largest cells, weighted by their values.

    Args:
        maps: (h, w, N), not negative.
        k: Number of cells.

    Returns:
        (x, y) in cells, (N, 2), -1 for a map that is zero everywhere.

    Raises:
        ValueError: If the maps have fewer cells.
    """
    height, width, _ = maps.shape
    if k > height * width:
        raise ValueError(f'maps of {height} x {width} cells have no {k} largest')
    values, cells = maps.flatten(0, 1).topk(k, dim=0)
    total = values.sum(dim=0)
    weights = values / total.clamp(min=torch.finfo(values.dtype).tiny)
    places = torch.stack([(weights * (cells % width)).sum(dim=0), (weights * (cells // width)).sum(dim=0)], dim=-1)
    return torch.where(total[:, None] > 0, places, -1.0)
