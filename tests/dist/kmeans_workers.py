"""What the processes of the clustering's tests run."""

import torch

from mmsigma.ops.kmeans import Clustering, kmeans


def kmeans_worker(rank: int, shards: list[torch.Tensor], init: torch.Tensor) -> Clustering:
    return tuple(kmeans(shards[rank], len(init), init=init, distributed=True))
