"""Space-time clustering of the cells of a video by appearance and position (Mask-VOS, section 3.2)."""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.clustering import Clustering, kmeans_many
from mmsigma.ops.optimal_transport import sinkhorn_labels

Method = Literal['kmeans', 'sinkhorn']


def space_time_code(size: tuple[int, int, int], dims: int) -> Tensor:
    """Return a sinusoidal code of the positions in a video, with a third of the channels for each of t, y and x.

    ``angle = (index + 1) / size * 2 pi / 10000 ** (2 floor(c / 2) / (dims / 3))``; even channels c hold its sine, odd
    ones its cosine. The paper mentions a sinusoidal code without giving a formula; this one is our choice. Channels
    left over by the division by three are 0.

    Args:
        size: Number of frames, rows and columns (T, h, w).
        dims: Number of channels, at least 3.

    Returns:
        Code ``(T, h, w, dims)``, float32.

    Raises:
        ValueError: If there are fewer than three channels.
    """
    code = torch.zeros(*size, dims)
    for channels, values in _codes_of_axes(size, dims):
        code[..., channels] = values
    return code


def add_space_time_code(features: Tensor, weight: float) -> Tensor:
    """Add a weighted :func:`space_time_code` to the cells of videos, ``(..., T, h, w, D)``, in place.

    What is added is broadcast from the codes of the three axes, so that no code of all cells is made.

    Raises:
        ValueError: If there are fewer than three channels.
    """
    frames, rows, columns, dims = features.shape[-4:]
    for channels, values in _codes_of_axes((frames, rows, columns), dims):
        features[..., channels].add_((weight * values).to(features))
    return features


def _codes_of_axes(size: tuple[int, int, int], dims: int) -> list[tuple[slice, Tensor]]:
    """Return the channels of t, y and x, and their codes, such as ``(T, 1, 1, dims // 3)``, float32."""
    share = dims // 3
    if not share:
        raise ValueError(f'a code of three coordinates needs three channels or more, got {dims}')
    channel = torch.arange(share, dtype=torch.float64)
    frequency = 10000 ** (-2 * torch.div(channel, 2, rounding_mode='floor') / (dims / 3))
    codes = []
    for axis, length in enumerate(size):
        angle = torch.arange(1, length + 1, dtype=torch.float64)[:, None] / length * math.tau * frequency
        values = torch.where(channel % 2 == 0, angle.sin(), angle.cos()).float()
        shape = [1, 1, 1, share]
        shape[axis] = length
        codes.append((slice(axis * share, (axis + 1) * share), values.view(shape)))
    return codes


class VideoClusters(NamedTuple):
    """Clusters of one video.

    Attributes:
        labels: Cluster of every cell, ``(T, h, w)``, int64.
        shares: Fraction of all cells in each cluster, ``(K,)``.
        kept: Clusters that are neither empty nor too large to be an object, ``(K',)``, int64.
    """

    labels: Tensor
    shares: Tensor
    kept: Tensor


@torch.no_grad()
def cluster_videos(
    features: Tensor,
    num_clusters: int = 5,
    *,
    method: Method = 'kmeans',
    code_weight: float = 0.1,
    max_share: float = 0.4,
    num_iters: int = 100,
    num_restarts: int = 1,
    generator: torch.Generator | None = None,
    are_unit: bool = False,
) -> list[VideoClusters]:
    """Cluster the cells of each video independently.

    Args:
        features: Features of the cells of B videos, ``(B, T, h, w, D)``; they are normalised to unit length, unless
            ``are_unit`` says that they are.
        num_clusters: Number of clusters K per video.
        method: ``'kmeans'`` (as in the paper) or ``'sinkhorn'``: the cells are assigned to the centroids of k-means by
            optimal transport, so that all clusters have the same size (left to future work by the paper).
        code_weight: Weight of the space-time code that is added to the features.
        max_share: Largest fraction of the video's cells that a cluster may have; larger ones are background.
        num_iters: Maximum number of k-means iterations.
        num_restarts: Number of k-means restarts, of which the best is kept.
        generator: Random generator of the draws, on the CPU; None for PyTorch's global one.
        are_unit: Whether features have unit length; they are overwritten then.

    Returns:
        The clusters of each video.

    Raises:
        ValueError: If ``method`` is unknown, or features are not finite; the message gives the indices of the videos.
    """
    if method not in ('kmeans', 'sinkhorn'):
        raise ValueError(f"method must be 'kmeans' or 'sinkhorn', got {method!r}")
    unit = features if are_unit else F.normalize(features, dim=-1)
    points = add_space_time_code(unit, code_weight).flatten(1, 3)
    found = kmeans_many(points, num_clusters, num_iters=num_iters, num_restarts=num_restarts, generator=generator)
    labels = [
        _balanced(own, result) if method == 'sinkhorn' else result.labels
        for own, result in zip(points, found, strict=True)
    ]
    return [keep_clusters(one.view(features.shape[1:4]), num_clusters, max_share) for one in labels]


def keep_clusters(labels: Tensor, num_clusters: int, max_share: float = 0.4) -> VideoClusters:
    """Measure the clusters of a video ``(T, h, w)`` and keep those that are not empty and at most ``max_share``."""
    shares = torch.bincount(labels.flatten(), minlength=num_clusters) / labels.numel()
    kept = ((shares <= max_share) & (shares > 0)).nonzero()[:, 0]
    return VideoClusters(labels, shares, kept)


def _balanced(points: Tensor, clusters: Clustering) -> Tensor:
    """Assign points ``(N, D)`` to centroids by optimal transport, with equal mass for each; return labels ``(N,)``."""
    return sinkhorn_labels(F.normalize(points, dim=1) @ F.normalize(clusters.centroids, dim=1).T, local=True)
