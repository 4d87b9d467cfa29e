"""What the processes of the reclustering test run."""

import multiprocessing
from typing import Any

import torch
from mmengine.dist import get_world_size
from torch import nn

from mmsigma.datasets import PseudoMaskRounds
from mmsigma.engine.reclustering import ReclusterSettings, recluster
from mmsigma.ops.space_time_clustering import Method


class PatchEncoder(nn.Module):
    """A convolution as an encoder."""

    stride = 8

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.proj, self.norm = nn.Conv2d(3, 12, 8, stride=8), nn.BatchNorm2d(12)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(self.norm(self.proj(images)), dim=1)


def cluster_worker(
    rank: int, videos: list[str], folder: str, method: Method = 'kmeans', keep_aspect: bool = False, num_workers: int = 0
) -> dict[str, Any]:
    multiprocessing.current_process()._config['daemon'] = False  # of the tests; a daemon may have no processes
    settings = ReclusterSettings(method=method, num_clusters=3, size=64, keep_aspect=keep_aspect, step=4, fit_frames=5)
    encoder = PatchEncoder()
    # every process has seen clips of its own
    encoder.norm.running_mean += torch.arange(12) * (0.1 * rank if get_world_size() > 1 else 0.05)
    return recluster(encoder, videos, 'decord', PseudoMaskRounds(folder), 0, settings, seed=3, epoch=7, num_workers=num_workers)
