"""Kendall's tau of nearest frames, a measure of how well videos of an action align (TCC, CVPR 2019; GTA, CVPR 2021)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Distance = Literal['sqeuclidean', 'cosine']
DISTANCES: tuple[Distance, ...] = ('sqeuclidean', 'cosine')
_BLOCK_ELEMENTS = 1 << 23  # elements of a block of distances
# Distances that differ by less than this, relative to the squared lengths that they are computed from, count as equal,
# since matrix products round. Without it, the nearest of equal frames is drawn by rounding: embeddings that are all the
# same, of a collapsed network, would get a tau.
_TIE = 1e-13


def frame_distances(queries: Tensor, frames: Tensor, metric: Distance = 'sqeuclidean') -> Tensor:
    """Compute all distances between two sets of frames with one matrix product.

    Args:
        queries: Embeddings ``(N, D)``.
        frames: Embeddings ``(M, D)``.
        metric: ``'sqeuclidean'`` or ``'cosine'``.

    Returns:
        Distances ``(N, M)``, float64.

    Raises:
        ValueError: If ``metric`` is unknown.
    """
    if metric not in DISTANCES:
        raise ValueError(f'metric must be one of {DISTANCES}, got {metric!r}')
    queries, frames = queries.double(), frames.double()
    if metric == 'cosine':
        return 1 - F.normalize(queries, dim=1) @ F.normalize(frames, dim=1).T
    return queries.square().sum(dim=1)[:, None] + frames.square().sum(dim=1) - 2 * (queries @ frames.T)


@torch.no_grad()
def nearest_frames(queries: Tensor, videos: Sequence[Tensor], metric: Distance = 'sqeuclidean') -> Tensor:
    """Find the nearest neighbour of each query in each video; of equally near frames, the first.

    Args:
        queries: Embeddings ``(N, D)``.
        videos: Embeddings ``(L_v, D)`` of V videos.
        metric: ``'sqeuclidean'`` or ``'cosine'``.

    Returns:
        Frame numbers ``(V, N)``, int64.
    """
    sizes = [len(video) for video in videos]
    frames = torch.cat(list(videos))
    scale = 1.0 if metric == 'cosine' else _squared_length(queries) + _squared_length(frames)
    nearest = torch.empty(len(videos), len(queries), dtype=torch.int64, device=queries.device)
    rows = max(1, _BLOCK_ELEMENTS // len(frames))
    for start in range(0, len(queries), rows):
        distances = frame_distances(queries[start : start + rows], frames, metric)
        for number, part in enumerate(distances.split(sizes, dim=1)):
            near = part <= part.amin(dim=1, keepdim=True) + _TIE * scale
            nearest[number, start : start + rows] = near.to(torch.uint8).argmax(dim=1)
    return nearest


def _squared_length(frames: Tensor) -> float:
    """Return the largest squared length of embeddings ``(N, D)``."""
    return float(frames.double().square().sum(dim=1).max()) if len(frames) else 0.0


def kendall_tau(order: Tensor) -> Tensor:
    """Compute tau-b between 0, 1, ..., N - 1 and each row, which measures whether the row increases over time.

    ``(concordant - discordant) / sqrt(n0 (n0 - ties))`` over all n0 = N (N - 1) / 2 pairs.

    Args:
        order: Integers ``(V, N)``.

    Returns:
        Tau ``(V,)``, float64, from -1 to 1; NaN for rows that are constant or shorter than two.
    """
    num_videos, size = order.shape
    balance, unequal = (order.new_zeros(num_videos, dtype=torch.float64) for _ in range(2))
    rows = max(1, _BLOCK_ELEMENTS // max(1, size * size))
    later = torch.ones(size, size, dtype=torch.bool, device=order.device).triu(1)
    for start in range(0, num_videos, rows):
        part = order[start : start + rows]
        signs = (part[:, None, :] > part[:, :, None]) & later, (part[:, None, :] < part[:, :, None]) & later
        up, down = (sign.sum(dim=(1, 2)).double() for sign in signs)
        balance[start : start + rows], unequal[start : start + rows] = up - down, up + down
    return balance / (unequal * (size * (size - 1) / 2)).sqrt()


def tau_matrix(videos: Sequence[Tensor], stride: int = 5, metric: Distance = 'sqeuclidean') -> Tensor:
    """Compute tau for all ordered pairs of videos of one action.

    Args:
        videos: Embeddings ``(L, D)`` of V videos.
        stride: Stride of the frames used in all videos; official: 5. TCC recommends 2 for Penn Action.
        metric: See :func:`frame_distances`.

    Returns:
        Tau ``(V, V)``, float64; row i has video i as the query. NaN on the diagonal and where tau is undefined: a
        single frame, or the same nearest neighbour for all frames.

    Raises:
        ValueError: If there are fewer than two videos, or ``stride`` is not positive.
    """
    if len(videos) < 2:
        raise ValueError(f"Kendall's tau requires at least two videos of an action, got {len(videos)}")
    if stride < 1:
        raise ValueError(f'stride must be positive, got {stride}')
    strided = [video[::stride] for video in videos]
    rows = torch.stack([kendall_tau(nearest_frames(query, strided, metric)) for query in strided]).cpu()
    return rows.fill_diagonal_(torch.nan)


def mean_tau(
    actions: Mapping[str, Sequence[Tensor]], stride: int = 5, metric: Distance = 'sqeuclidean'
) -> tuple[float, dict[str, float]]:
    """Average tau over the pairs of each action, without undefined ones, then over actions with equal weight.

    Args:
        actions: Embeddings of the videos of each action.
        stride: See :func:`tau_matrix`.
        metric: See :func:`frame_distances`.

    Returns:
        Mean over actions with a defined pair, NaN if there is none, and the score of each action.
    """
    scores = {name: float(tau_matrix(videos, stride, metric).nanmean()) for name, videos in actions.items()}
    return float(torch.tensor(list(scores.values()), dtype=torch.float64).nanmean()), scores
