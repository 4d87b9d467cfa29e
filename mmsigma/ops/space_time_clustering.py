"""Clusters of the cells of a video, by what they look like and where and when they are (Mask-VOS, section 3.2)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.clustering import Clustering, kmeans_many
from mmsigma.ops.optimal_transport import sinkhorn_labels


def space_time_code(size: tuple[int, int, int], dims: int) -> Tensor:
    """Sinusoidal code of the places of a video (T, h, w, dims): a third of the channels for each of t, y and x.

    ``angle = (index + 1) / size * 2 pi / 10000 ** (2 floor(c / 2) / (dims / 3))``, its sine in even channels c, its
    cosine in odd ones. The paper names a sinusoidal code without a formula; this one is ours. Channels that a division
    by three leaves over are 0.

    Raises:
        ValueError: If there are fewer than three channels.
    """
    share = dims // 3
    if not share:
        raise ValueError(f'a code of three coordinates needs three channels or more, got {dims}')
    channel = torch.arange(share, dtype=torch.float64)
    frequency = 10000 ** (-2 * torch.div(channel, 2, rounding_mode='floor') / (dims / 3))
    code = torch.zeros(*size, dims, dtype=torch.float64)
    for axis, length in enumerate(size):
        angle = torch.arange(1, length + 1, dtype=torch.float64)[:, None] / length * math.tau * frequency
        values = torch.where(channel % 2 == 0, angle.sin(), angle.cos())
        shape = [1, 1, 1, share]
        shape[axis] = length
        code[..., axis * share : (axis + 1) * share] = values.view(shape)
    return code.float()


class VideoClusters(NamedTuple):
    """Clusters of one video.

    Attributes:
        labels: Cluster of every cell (T, h, w), int64.
        shares: Share of all cells that each cluster has (K,).
        kept: The clusters that are not too large to be an object, int64.
    """

    labels: Tensor
    shares: Tensor
    kept: Tensor


@torch.no_grad()
def cluster_videos(
    features: Tensor,
    num_clusters: int = 5,
    *,
    method: str = 'kmeans',
    code_weight: float = 0.1,
    max_share: float = 0.4,
    num_iters: int = 100,
    num_restarts: int = 1,
    generator: torch.Generator | None = None,
) -> list[VideoClusters]:
    """Cluster videos, each for itself.

    Args:
        features: Of the cells of B videos (B, T, h, w, D); compared at unit length.
        num_clusters: K.
        method: ``'kmeans'`` (the paper), or ``'sinkhorn'``: centroids of k-means, to which cells are then assigned so
            that all get as many (optimal transport, which the paper leaves to future work).
        code_weight: Of the space-time code that is added to the features.
        max_share: Clusters with a larger share of the video are background.
        num_iters: Most iterations of k-means.
        num_restarts: Starts of k-means.
        generator: Of its random choices, on the CPU.

    Raises:
        ValueError: If the method is unknown, or features are not finite; the videos are named by their number.
    """
    if method not in ('kmeans', 'sinkhorn'):
        raise ValueError(f"method must be 'kmeans' or 'sinkhorn', got {method!r}")
    _, *size, dims = features.shape
    code = code_weight * space_time_code((size[0], size[1], size[2]), dims).to(features)
    points = (F.normalize(features, dim=-1) + code).flatten(1, 3)
    found = kmeans_many(points, num_clusters, num_iters=num_iters, num_restarts=num_restarts, generator=generator)
    labels = [
        _balanced(own, result) if method == 'sinkhorn' else result.labels
        for own, result in zip(points, found, strict=True)
    ]
    return [keep_clusters(one.view(size), num_clusters, max_share) for one in labels]


def keep_clusters(labels: Tensor, num_clusters: int, max_share: float = 0.4) -> VideoClusters:
    """Sizes of the clusters of a video (T, h, w), and those with cells but no more than ``max_share`` of them."""
    shares = torch.bincount(labels.flatten(), minlength=num_clusters) / labels.numel()
    kept = ((shares <= max_share) & (shares > 0)).nonzero()[:, 0]
    return VideoClusters(labels, shares, kept)


def _balanced(points: Tensor, clusters: Clustering) -> Tensor:
    """Labels (N,) of points (N, D) by optimal transport to the centroids, each with the same mass."""
    return sinkhorn_labels(F.normalize(points, dim=1) @ F.normalize(clusters.centroids, dim=1).T, local=True)
