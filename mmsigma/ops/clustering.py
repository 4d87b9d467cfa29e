"""Lloyd's k-means on any device, with several restarts, for one or many sets of points and one or many processes.

Notation of the private functions: B sets of points are clustered at once, each of N points with D dimensions into K
clusters. Row b of a tensor belongs to set b, so ``points`` is ``(B, N, D)`` and ``centroids`` is ``(B, K, D)``.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.fast_linear import linear
from mmsigma.ops.precision import at_least_float32


class Clustering(NamedTuple):
    """Result of :func:`kmeans`.

    Attributes:
        labels: Index of the nearest centroid of every point, ``(N,)``, int64.
        centroids: Centroids, ``(K, D)``.
        inertia: Sum of the squared distances of the points to their centroids.
        num_iters: Number of iterations that were run.
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

    Initial centroids come from k-means++ (Arthur and Vassilvitskii, 2007) or from ``init``. A cluster that loses all
    its points restarts at the point farthest from its centroid. The iterations end when no label changes, when the
    centroids move by no more than ``tolerance``, or after ``num_iters``. Of several restarts, the one with the
    smallest inertia is returned.

    Args:
        points: Points ``(N, D)``, float32 or float64.
        num_clusters: Number of clusters K.
        num_iters: Maximum number of iterations per restart.
        num_restarts: Number of restarts, each with new initial centroids.
        init: Initial centroids ``(K, D)`` that replace k-means++; ``num_restarts`` is then ignored.
        generator: Random generator of the draws, on the CPU; None for PyTorch's global one.
        tolerance: Largest sum of squared movements of the centroids that counts as convergence.
        distributed: Whether ``points`` is only this process's share of the points. Sums are then reduced over all
            processes, and the initial centroids are drawn from the points of rank 0. The other ranks may hold any
            number of points, including none.

    Returns:
        The clustering with the smallest inertia, with labels for this process's points.

    Raises:
        ValueError: If there are fewer points than clusters, if some points are not finite, or if ``init`` has the
            wrong shape.
    """
    # in a distributed run only the rank that draws the initial centroids needs points of its own
    needed = num_clusters if not distributed or (init is None and dist.get_rank() == 0) else 0
    if points.ndim != 2 or len(points) < needed:
        raise ValueError(f'{num_clusters} clusters need at least as many points (N, D), got {tuple(points.shape)}')
    if init is not None and init.shape != (num_clusters, points.shape[1]):
        raise ValueError(f'init must have the shape {(num_clusters, points.shape[1])}, got {tuple(init.shape)}')
    points = at_least_float32(points)
    origin = _mean(points, distributed)
    if not origin.isfinite().all():  # the fastest way to see it, and all processes do
        number = int((~points.isfinite()).any(dim=1).sum())
        raise ValueError(f'{number} points are not finite' + (' in this process' if distributed else ''))
    points = points - origin
    starts = [init - origin] if init is not None else _draw(points, num_clusters, num_restarts, generator, distributed)
    (found,) = _best_of(points[None], [starts], num_iters, tolerance, distributed)
    return found._replace(centroids=found.centroids + origin)


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
    """Cluster several sets of points independently, faster than one :func:`kmeans` call after the other.

    Args:
        points: B sets of equally many points, ``(B, N, D)``.
        num_clusters: Number of clusters K of each set.
        num_iters: Maximum number of iterations per restart.
        num_restarts: Number of restarts, each with new initial centroids.
        generator: Random generator of the draws, on the CPU, consumed set by set; None for PyTorch's global one.
        tolerance: Largest sum of squared movements of a set's centroids that counts as convergence.

    Returns:
        One clustering per set, in order.

    Raises:
        ValueError: If there are fewer points than clusters, or if some points are not finite; the message names the
            sets concerned.
    """
    if points.ndim != 3 or points.shape[1] < num_clusters:
        raise ValueError(
            f'{num_clusters} clusters need sets of at least as many points (B, N, D), got {tuple(points.shape)}'
        )
    points = at_least_float32(points)
    origins = torch.stack([_mean(own) for own in points])
    if bad := (~origins.isfinite()).any(dim=1).nonzero()[:, 0].tolist():
        raise ValueError(f'sets {bad} contain points that are not finite')
    points = points - origins[:, None]
    starts = [_draw(own, num_clusters, num_restarts, generator) for own in points]
    results = _best_of(points, starts, num_iters, tolerance)
    return [found._replace(centroids=found.centroids + origin) for found, origin in zip(results, origins, strict=True)]


def assign(points: Tensor, centroids: Tensor) -> Tensor:
    """Return the index of the nearest centroid ``(N,)``, int64, for points ``(N, D)`` and centroids ``(K, D)``."""
    origin = centroids.mean(dim=0)
    return _scores((points - origin)[None], (centroids - origin)[None]).argmin(dim=2)[0]


def _mean(points: Tensor, distributed: bool = False) -> Tensor:
    """Return the mean ``(D,)`` of all points, which is moved to 0 before distances are computed.

    Squared distances are computed as differences of squared norms, which loses the digits that a common offset has.
    """
    # float64 of the sums of 32 parts: faster than a sum in float64, and any point near the mean would do
    length = len(points) // 32
    parts, rest = points[: 32 * length].view(32, length, points.shape[1]), points[32 * length :]
    sums = parts.sum(dim=1).double().sum(dim=0) + rest.sum(dim=0)
    total = torch.cat([sums, sums.new_tensor([len(points)])])
    if distributed:
        dist.all_reduce(total)
    return (total[:-1] / total[-1].clamp(min=1)).to(points.dtype)


def _scores(points: Tensor, centroids: Tensor) -> Tensor:
    """Return squared distances ``(B, N, K)`` less the squared norm of each point, which no argmin depends on."""
    squares = centroids.square().sum(dim=2)
    if points.is_cuda:
        return torch.baddbmm(squares[:, None], points, centroids.transpose(1, 2), alpha=-2)
    scores = [linear(*row)[None] for row in zip(points, centroids * -2, squares, strict=True)]
    return scores[0] if len(scores) == 1 else torch.cat(scores)


def _best_of(
    points: Tensor, starts: list[list[Tensor]], num_iters: int, tolerance: float, distributed: bool = False
) -> list[Clustering]:
    """Run all restarts of every set and keep the one with the smallest inertia for each.

    ``starts[b][r]`` are the initial centroids ``(K, D)`` of restart r of set b. A GPU works on all sets at once. On a
    CPU, each core works on a set of its own, since one set is too small to be shared between cores.
    """
    if len(points) > 1 and not points.is_cuda:
        threads = torch.get_num_threads()
        single = [(own[None], [init], num_iters, tolerance) for own, init in zip(points, starts, strict=True)]
        try:
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                return [found for (found,) in pool.map(lambda task: _best_of(*task), single)]
        finally:
            torch.set_num_threads(threads)
    norms = torch.linalg.vector_norm(points, dim=2).square_()  # without a matrix of squares
    best: list[Clustering] = []
    # `inits` holds the initial centroids of one restart for all B sets
    for inits in zip(*starts, strict=True):
        results = _lloyd(points, norms, torch.stack(inits).to(points), num_iters, tolerance, distributed)
        best = [new if new.inertia < old.inertia else old for old, new in zip(best or results, results, strict=True)]
    return best


def _lloyd(
    points: Tensor, norms: Tensor, centroids: Tensor, num_iters: int, tolerance: float, distributed: bool
) -> list[Clustering]:
    """Run Lloyd's iterations for B sets at once.

    Sets that have converged are dropped from the batch as soon as they make up at least half of it. Until then they
    are iterated further, but their result is no longer updated.

    Args:
        points: Points ``(B, N, D)``.
        norms: Squared norms of the points, ``(B, N)``.
        centroids: Initial centroids ``(B, K, D)``.
        num_iters: Maximum number of iterations.
        tolerance: Largest sum of squared movements that counts as convergence.
        distributed: Whether sums are reduced over all processes.

    Returns:
        One clustering per set.
    """
    # `final` (B, K, D) and `iterations` are results of all sets; everything below has one row per set still in the
    # batch: `sets` are their original numbers, `running` marks those that have not converged.
    final, iterations = centroids.clone(), [num_iters] * len(points)
    sets, part, part_norms = torch.arange(len(points)), points, norms
    running = torch.ones(len(points), dtype=torch.bool)
    labels = torch.full(points.shape[:2], -1, device=points.device)
    sums: Tensor | None = None
    settled = False
    for iteration in range(1, num_iters + 1):
        least, nearest = _scores(part, centroids).min(dim=2)  # both (B', N)
        sums, changed = _update_sums(sums, part, labels, nearest, centroids.shape[1])
        labels = nearest
        moved, empty = _means(part, sums, least, part_norms, distributed)
        if distributed:
            dist.all_reduce(changed)
        still = changed == 0
        if tolerance > 0:
            still |= (moved - centroids).square().sum(dim=(1, 2)) <= tolerance
        centroids = moved
        ends = running & (still & ~empty).cpu()
        if iteration < num_iters and not ends.any():
            continue
        final[sets[running]] = centroids[running.to(centroids.device)]
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
    if not settled:  # otherwise the last labels were already computed with these centroids
        least, labels = _scores(points, final).min(dim=2)
    inertia = (least + norms).clamp_(min=0).double().sum(dim=1)
    if distributed:
        dist.all_reduce(inertia)
    return [Clustering(*row) for row in zip(labels, final, inertia.tolist(), iterations, strict=True)]


def _update_sums(
    sums: Tensor | None, points: Tensor, before: Tensor, labels: Tensor, num_clusters: int
) -> tuple[Tensor, Tensor]:
    """Return the sums of each cluster's points, ``(B, K, D + 1)``, float64, and the number of changed labels ``(B,)``.

    The last column of the sums is the number of points in the cluster. Most iterations move few points: then only
    those are subtracted from the sums of their old clusters and added to those of their new ones.
    """
    batch, number, width = points.shape
    # entry m of `moved` and `rows`: point, of those of all sets, and set of the m-th changed label
    moved = (labels != before).flatten().nonzero()[:, 0]
    rows = moved // number if batch > 1 else torch.zeros_like(moved)
    changed = torch.bincount(rows, minlength=batch) if batch > 1 else moved.new_tensor([len(moved)])
    if sums is None or (4 if batch == 1 else 16) * len(moved) > batch * number:
        # one-hot memberships (B, K, N): a matrix product is several times faster than adding rows one by one
        member = points.new_zeros(batch, num_clusters, number).scatter_(1, labels[:, None], 1)
        sums = torch.cat([torch.bmm(member, points), member.sum(dim=2, keepdim=True)], dim=2).double()
        return sums, changed
    chosen = points.flatten(0, 1).index_select(0, moved)
    moving = F.pad(chosen, (0, 1), value=1)  # (changed, D + 1), the 1 updates the count
    # row of each moved point's old and new cluster in the sums viewed as (B * K, D + 1)
    leaves, joins = (rows * num_clusters + side.flatten().index_select(0, moved) for side in (before, labels))
    if batch == 1:
        # (K, changed): +1 where a point joins a cluster, -1 where it leaves one
        signs = points.new_zeros(num_clusters, len(moved)).scatter_(0, joins[None], 1).scatter_(0, leaves[None], -1)
        return sums + (signs @ moving).double(), changed
    flat = sums.view(-1, width + 1)
    flat.index_add_(0, leaves, moving.double(), alpha=-1).index_add_(0, joins, moving.double())
    return sums, changed


def _means(points: Tensor, sums: Tensor, scores: Tensor, norms: Tensor, distributed: bool) -> tuple[Tensor, Tensor]:
    """Return the new centroids ``(B, K, D)`` and which sets had an empty cluster, ``(B,)``.

    ``sums`` are those of this process's points; ``scores`` and ``norms``, ``(B, N)``, add up to the squared distances
    of these to the old centroids.
    """
    if distributed:
        sums = sums.clone()
        dist.all_reduce(sums)
    totals, counts = sums[..., :-1], sums[..., -1:]
    moved = (totals / counts).to(points.dtype)
    # counts are sums of float64 ones: compare with 0.5 instead of 0
    empty = counts[..., 0] < 0.5
    if empty.any():
        for row in empty.any(dim=1).nonzero()[:, 0].tolist():
            lost = empty[row].nonzero()[:, 0]
            moved[row, lost] = _farthest(points[row], scores[row] + norms[row], len(lost), distributed)
    return moved, empty.any(dim=1)


def _farthest(points: Tensor, distances: Tensor, number: int, distributed: bool) -> Tensor:
    """Return the ``number`` points with the largest distances, ``(number, D)``, over all processes if distributed."""
    values, places = distances.topk(min(number, len(distances)))
    candidates = points[places]
    if distributed:
        # pairs of (values, points) of every rank; ranks may contribute different numbers
        gathered = [(values, candidates)] * dist.get_world_size()
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
    """Draw ``number`` sets of initial centroids, each ``(K, D)``."""
    norms = points.square().sum(dim=1)
    return [_plus_plus(points, norms, num_clusters, generator, distributed) for _ in range(number)]


def _plus_plus(
    points: Tensor, norms: Tensor, num_clusters: int, generator: torch.Generator | None, distributed: bool
) -> Tensor:
    """Draw initial centroids ``(K, D)``, each with a probability proportional to its squared distance to the others."""
    chosen = points.new_empty(num_clusters, points.shape[1])
    if distributed and dist.get_rank():
        dist.broadcast(chosen, 0)
        return chosen
    chosen[0] = points[int(torch.randint(len(points), (1,), generator=generator))]
    nearest = points.new_full((len(points),), torch.inf)  # squared distance to the nearest centroid so far
    for number in range(1, num_clusters):
        latest = chosen[number - 1]
        nearest = torch.minimum(nearest, (norms - 2 * points @ latest + latest @ latest).clamp_(min=0))
        # inverse of the cumulative distribution; in float64, since float32 sums lose single points among many
        place = torch.rand(1, generator=generator, dtype=torch.float64).to(points.device) * nearest.double().sum()
        chosen[number] = points[int(torch.searchsorted(nearest.double().cumsum(0), place).clamp(max=len(points) - 1))]
    if distributed:
        dist.broadcast(chosen, 0)
    return chosen
