"""Lloyd's k-means for features on any device, several restarts at a time, over one process or many."""

from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from mmsigma.ops.linear import linear


class Clustering(NamedTuple):
    """Result of :func:`kmeans`.

    Attributes:
        labels: Nearest centroid of every point (N,), int64.
        centroids: (K, D).
        inertia: Sum of squared distances of points to their centroids, float.
        num_iters: Iterations run.
    """

    labels: Tensor
    centroids: Tensor
    inertia: float
    num_iters: int


@torch.no_grad()
def kmeans(
    points: Tensor,
    num_clusters: int,
    *,
    num_iters: int = 100,
    num_restarts: int = 1,
    init: Tensor | None = None,
    generator: torch.Generator | None = None,
    tolerance: float = 0.0,
    distributed: bool = False,
) -> Clustering:
    """Cluster points by Euclidean distance.

    Starts from k-means++ (Arthur and Vassilvitskii 2007), or from ``init``. A cluster that loses all its points starts
    anew at the point farthest from its centroid. Ends when no label changes, when the centroids move by no more than
    ``tolerance``, or after ``num_iters`` iterations; of several restarts the one with the least inertia is returned.

    Args:
        points: (N, D), float32 or float64.
        num_clusters: K.
        num_iters: Most iterations per restart.
        num_restarts: How often to start.
        init: Initial centroids (K, D) instead of k-means++; then there is one start.
        generator: Of the random choices, on the CPU.
        tolerance: On the sum of squared movements of the centroids.
        distributed: The points are this process's part of the points of all; sums are shared, and the initial
            centroids are chosen from those of rank 0. Other ranks may have any number of points, none included.

    Raises:
        ValueError: If there are fewer points than clusters, some are not finite, or ``init`` does not fit.
    """
    # of several processes only the one that draws the first centroids needs points of its own
    needed = num_clusters if not distributed or (init is None and dist.get_rank() == 0) else 0
    if points.ndim != 2 or len(points) < needed:
        raise ValueError(f'{num_clusters} clusters need as many points (N, D), got {tuple(points.shape)}')
    if not points.isfinite().all():
        raise ValueError(f'{int((~points.isfinite()).any(dim=1).sum())} points are not finite')
    if init is not None and init.shape != (num_clusters, points.shape[1]):
        raise ValueError(f'init must have the shape {(num_clusters, points.shape[1])}, got {tuple(init.shape)}')
    norms = points.square().sum(dim=1)
    best: Clustering | None = None
    for _ in range(1 if init is not None else num_restarts):
        start = init if init is not None else _plus_plus(points, norms, num_clusters, generator, distributed)
        result = _lloyd(points, norms, start.to(points), num_iters, tolerance, distributed)
        if best is None or result.inertia < best.inertia:
            best = result
    assert best is not None
    return best


def assign(points: Tensor, centroids: Tensor) -> Tensor:
    """Nearest centroid (N,), int64, of points (N, D)."""
    return _nearest(points, points.square().sum(dim=1), centroids)[1]


def _nearest(points: Tensor, norms: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distances to, and numbers of, the nearest centroids, both (N,)."""
    scores = linear(points, centroids * -2, centroids.square().sum(dim=1))
    least, labels = scores.min(dim=1)
    return (least + norms).clamp_(min=0), labels


def _lloyd(
    points: Tensor, norms: Tensor, centroids: Tensor, num_iters: int, tolerance: float, distributed: bool
) -> Clustering:
    num_clusters, width = centroids.shape
    labels = torch.full((len(points),), -1, device=points.device)
    iterations = 0
    while iterations < num_iters:
        iterations += 1
        distances, nearest = _nearest(points, norms, centroids)
        changed = (nearest != labels).sum()
        labels = nearest
        sums = points.new_zeros(num_clusters, width + 1)
        sums[:, :width].index_add_(0, labels, points)
        sums[:, width] = torch.bincount(labels, minlength=num_clusters).to(sums.dtype)
        if distributed:
            dist.all_reduce(sums)
            dist.all_reduce(changed)
        counts = sums[:, width:]
        moved = torch.where(counts > 0, sums[:, :width] / counts.clamp(min=1), centroids)
        empty = (counts[:, 0] == 0).nonzero()[:, 0]
        if len(empty):
            moved[empty] = _farthest(points, distances, len(empty), distributed)
        shift = (moved - centroids).square().sum()
        centroids = moved
        if not len(empty) and (not int(changed) or float(shift) <= tolerance):
            break
    distances, labels = _nearest(points, norms, centroids)
    inertia = distances.double().sum()
    if distributed:
        dist.all_reduce(inertia)
    return Clustering(labels, centroids, float(inertia), iterations)


def _farthest(points: Tensor, distances: Tensor, number: int, distributed: bool) -> Tensor:
    """The ``number`` points (number, D) with the largest distances."""
    values, places = distances.topk(min(number, len(distances)))
    candidates = points[places]
    if distributed:
        gathered: list = [None] * dist.get_world_size()
        dist.all_gather_object(gathered, (values.cpu(), candidates.cpu()))
        values = torch.cat([part[0] for part in gathered]).to(points.device)
        candidates = torch.cat([part[1] for part in gathered]).to(points.device)
        candidates = candidates[values.argsort(descending=True, stable=True)[:number]]
    return candidates


def _plus_plus(
    points: Tensor, norms: Tensor, num_clusters: int, generator: torch.Generator | None, distributed: bool
) -> Tensor:
    """Initial centroids (K, D): each drawn with a probability proportional to its squared distance to the others."""
    chosen = points.new_empty(num_clusters, points.shape[1])
    if distributed and dist.get_rank():
        dist.broadcast(chosen, 0)
        return chosen
    chosen[0] = points[int(torch.randint(len(points), (1,), generator=generator))]
    nearest = points.new_full((len(points),), torch.inf)
    for number in range(1, num_clusters):
        latest = chosen[number - 1]
        nearest = torch.minimum(nearest, (norms - 2 * points @ latest + latest @ latest).clamp_(min=0))
        place = torch.rand(1, generator=generator, dtype=torch.float64).to(points.device) * nearest.double().sum()
        chosen[number] = points[int(torch.searchsorted(nearest.double().cumsum(0), place).clamp(max=len(points) - 1))]
    if distributed:
        dist.broadcast(chosen, 0)
    return chosen
