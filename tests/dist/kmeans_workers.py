"""What the processes of the clustering's tests run."""

import torch

from mmsigma.ops.clustering import Clustering, kmeans


def kmeans_worker(rank: int, shards: list[torch.Tensor], init: torch.Tensor) -> Clustering:
    return tuple(kmeans(shards[rank], len(init), init=init, distributed=True))


def drawing_worker(rank: int, shards: list[torch.Tensor], num_clusters: int) -> Clustering:
    """The other ranks' generators differ, and must not matter."""
    generator = torch.Generator().manual_seed(rank)
    return tuple(kmeans(shards[rank], num_clusters, num_restarts=3, generator=generator, distributed=True))
