"""Features of recent batches, with which the codes of a small batch are balanced (SwAV, NeurIPS 2020, section 3.3)."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor, nn

from mmsigma.ops import at_least_float32


class FeatureQueue(nn.Module):
    """The last ``length`` features of both branches, over all processes.

    Every process holds the whole queue, so that a checkpoint has all of it and may be resumed with any number of
    processes, but is given only its share, so that no feature is counted twice in a Sinkhorn over all processes. Until
    the queue is full, the first batch stands in, repeated, which does not change how that batch is assigned.

    Args:
        length: Number Q of features of each branch, over all processes.
        channels: Number D of channels.

    Raises:
        ValueError: If the length is not positive.
    """

    features: Tensor
    filled: Tensor

    def __init__(self, length: int, channels: int) -> None:
        super().__init__()
        if length < 1:
            raise ValueError(f'a queue must have a positive length, got {length}')
        self.register_buffer('features', torch.zeros(2, length, channels))
        self.register_buffer('filled', torch.tensor(False))
        self._filled = False  # the same, where reading it does not make a GPU wait

    @torch.no_grad()
    def forward(self, target: Tensor, pred: Tensor) -> tuple[Tensor, Tensor]:
        """Return this process's share of the recent features, then take in those of the batch.

        Features that are not finite are taken in as zeros, which are equally far from all prototypes.

        Args:
            target: Features of the projection network, ``(N, D)``, with the same N in all processes.
            pred: Predictions of the video model, ``(N, D)``.

        Returns:
            Recent features of both, at unit length, ``(Q / processes, D)`` each, rounded up in the first processes.
        """
        own = F.normalize(at_least_float32(torch.stack([target, pred])), dim=-1).to(self.features.dtype)
        batch = torch.cat(all_gather(own.nan_to_num(0.0).contiguous()), dim=1)
        length = self.features.shape[1]
        if not self._filled:
            repeats = -(-length // batch.shape[1])
            self.features.copy_(batch.repeat(1, repeats, 1)[:, :length])
            self._filled = True
            self.filled.fill_(True)
        recent_target, recent_pred = self.features[:, get_rank() :: get_world_size()].clone()
        self.features.copy_(torch.cat([self.features, batch], dim=1)[:, -length:])
        return recent_target, recent_pred

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._filled = bool(self.filled)
