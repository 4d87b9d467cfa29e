"""Lloyd's k-means for features on any device, several restarts at a time, over one process or many."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.fast_linear import linear


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
    # a sum shows most quickly that there is nothing to look for
    if not points.sum().isfinite() and not points.isfinite().all():
        raise ValueError(f'{int((~points.isfinite()).any(dim=1).sum())} points are not finite')
    if init is not None and init.shape != (num_clusters, points.shape[1]):
        raise ValueError(f'init must have the shape {(num_clusters, points.shape[1])}, got {tuple(init.shape)}')
    starts = [init] if init is not None else _draw(points, num_clusters, num_restarts, generator, distributed)
    return _best_of(points[None], [starts], num_iters, tolerance, distributed)[0]


@torch.no_grad()
def kmeans_many(
    points: Tensor,
    num_clusters: int,
    *,
    num_iters: int = 100,
    num_restarts: int = 1,
    generator: torch.Generator | None = None,
    tolerance: float = 0.0,
) -> list[Clustering]:
    """Cluster several sets of points at once, each for itself: as :func:`kmeans` of one after the other, but faster.

    Args:
        points: B sets of as many points each (B, N, D).
        num_clusters: K.
        num_iters: Most iterations per restart.
        num_restarts: How often to start.
        generator: Of the random choices, on the CPU; they are made set by set.
        tolerance: On the sum of squared movements of the centroids.

    Raises:
        ValueError: If there are fewer points than clusters, or some are not finite; their sets are named.
    """
    if points.ndim != 3 or points.shape[1] < num_clusters:
        raise ValueError(f'{num_clusters} clusters need sets of as many points (B, N, D), got {tuple(points.shape)}')
    finite = bool(points.sum().isfinite())
    if not finite and (bad := (~points.isfinite()).flatten(1).any(dim=1).nonzero()[:, 0].tolist()):
        raise ValueError(f'sets {bad} hold points that are not finite')
    starts = [_draw(own, num_clusters, num_restarts, generator) for own in points]
    return _best_of(points, starts, num_iters, tolerance)


def assign(points: Tensor, centroids: Tensor) -> Tensor:
    """Nearest centroid (N,), int64, of points (N, D)."""
    return _scores(points[None], centroids[None]).argmin(dim=2)[0]


def _scores(points: Tensor, centroids: Tensor) -> Tensor:
    """Squared distances (B, N, K) of points to centroids (B, K, D), less the squared norms of the points."""
    squares = centroids.square().sum(dim=2)
    if points.is_cuda:
        return torch.baddbmm(squares[:, None], points, centroids.transpose(1, 2), alpha=-2)
    scores = [linear(*row)[None] for row in zip(points, centroids * -2, squares, strict=True)]
    return scores[0] if len(scores) == 1 else torch.cat(scores)


def _best_of(
    points: Tensor, starts: list[list[Tensor]], num_iters: int, tolerance: float, distributed: bool = False
) -> list[Clustering]:
    """For each set of points (B, N, D) the result with the least inertia among its starts.

    A GPU works on all sets at once. Each core of a CPU works on a set of its own: these are too small to be shared.
    """
    if len(points) > 1 and not points.is_cuda:
        threads = torch.get_num_threads()
        single = [(own[None], [init], num_iters, tolerance) for own, init in zip(points, starts, strict=True)]
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return [found for (found,) in pool.map(lambda task: _best_of(*task), single)]
        finally:
            torch.set_num_threads(threads)
    norms = points.square().sum(dim=2)
    best: list[Clustering] = []
    for inits in zip(*starts, strict=True):
        results = _lloyd(points, norms, torch.stack(inits).to(points), num_iters, tolerance, distributed)
        best = [new if new.inertia < old.inertia else old for old, new in zip(best or results, results, strict=True)]
    return best


def _lloyd(
    points: Tensor, norms: Tensor, centroids: Tensor, num_iters: int, tolerance: float, distributed: bool
) -> list[Clustering]:
    """Lloyd's iterations for B sets at once; sets that have ended leave as soon as they are half of all."""
    final, iterations = centroids.clone(), [num_iters] * len(points)
    sets, part, part_norms = torch.arange(len(points)), points, norms
    running = torch.ones(len(points), dtype=torch.bool)
    labels = torch.full(points.shape[:2], -1, device=points.device)
    sums: Tensor | None = None
    settled = False
    for iteration in range(1, num_iters + 1):
        least, nearest = _scores(part, centroids).min(dim=2)
        sums, changed = _update_sums(sums, part, labels, nearest, centroids.shape[1])
        labels = nearest
        moved, empty = _means(part, sums, least + part_norms, centroids, distributed)
        if distributed:
            dist.all_reduce(changed)
        still = changed == 0
        if tolerance > 0:
            still |= (moved - centroids).square().sum(dim=(1, 2)) <= tolerance
        centroids = moved
        final[sets[running]] = centroids[running.to(centroids.device)]
        ends = running & ~empty.cpu() & still.cpu()
        for row in ends.nonzero()[:, 0].tolist():
            iterations[int(sets[row])] = iteration
        running &= ~ends
        if not running.any():
            settled = len(sets) == len(points) == 1 and not int(changed)
            break
        if 2 * int(running.sum()) <= len(running):
            keep = running.to(points.device)
            part, part_norms, labels, centroids, sums = (
                rows[keep] for rows in (part, part_norms, labels, centroids, sums)
            )
            sets, running = sets[running], running[running]
    if not settled:  # else the centroids are those that the last labels were found with
        least, labels = _scores(points, final).min(dim=2)
    inertia = (least + norms).clamp_(min=0).double().sum(dim=1)
    if distributed:
        dist.all_reduce(inertia)
    return [Clustering(*row) for row in zip(labels, final, inertia.tolist(), iterations, strict=True)]


def _update_sums(
    sums: Tensor | None, points: Tensor, before: Tensor, labels: Tensor, num_clusters: int
) -> tuple[Tensor, Tensor]:
    """Sums of each cluster's points and, in the last column, their number, float64 (B, K, D + 1); changed labels (B,).

    Most iterations move few points: then only those are taken from one sum and added to another.
    """
    batch, number, width = points.shape
    rows, places = (labels != before).nonzero(as_tuple=True)
    changed = torch.bincount(rows, minlength=batch)
    if sums is None or (4 if batch == 1 else 16) * len(rows) > batch * number:
        member = points.new_zeros(batch, num_clusters, number).scatter_(1, labels[:, None], 1)
        # a matrix product is several times faster than adding rows one by one
        sums = torch.cat([torch.bmm(member, points), member.sum(dim=2, keepdim=True)], dim=2).double()
        return sums, changed
    moving = F.pad(points[rows, places], (0, 1), value=1)
    leaves, joins = (rows * num_clusters + side[rows, places] for side in (before, labels))
    if batch == 1:
        signs = points.new_zeros(num_clusters, len(rows)).scatter_(0, joins[None], 1).scatter_(0, leaves[None], -1)
        return sums + (signs @ moving).double(), changed
    flat = sums.view(-1, width + 1)
    flat.index_add_(0, leaves, moving.double(), alpha=-1).index_add_(0, joins, moving.double())
    return sums, changed


def _means(
    points: Tensor, sums: Tensor, distances: Tensor, centroids: Tensor, distributed: bool
) -> tuple[Tensor, Tensor]:
    """New centroids (B, K, D) from sums of this process's points, and which sets had an empty cluster (B,)."""
    if distributed:
        sums = sums.clone()
        dist.all_reduce(sums)
    totals, counts = sums[..., :-1], sums[..., -1:]
    moved = torch.where(counts > 0.5, totals / counts.clamp(min=1), centroids).to(centroids.dtype)
    empty = counts[..., 0] < 0.5
    for row in empty.any(dim=1).nonzero()[:, 0].tolist():
        lost = empty[row].nonzero()[:, 0]
        moved[row, lost] = _farthest(points[row], distances[row], len(lost), distributed)
    return moved, empty.any(dim=1)


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


def _draw(
    points: Tensor,
    num_clusters: int,
    number: int,
    generator: torch.Generator | None,
    distributed: bool = False,
) -> list[Tensor]:
    """As many sets of initial centroids (K, D)."""
    norms = points.square().sum(dim=1)
    return [_plus_plus(points, norms, num_clusters, generator, distributed) for _ in range(number)]


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
