"""An alignment loss of one's own for GTA: videos of one action pass through it at a constant pace."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import VideoGroup, pair_indices
from mmsigma.registry import MODELS


@MODELS.register_module()
class ProportionalLoss(nn.Module):
    """A frame is classified among those of another video: the one at the same fraction of it is right.

    Args:
        temperature: Temperature that similarities are divided by.
    """

    interleaved = False  # frames come in the order of time, without positives between them

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """``loss_proportional`` of a group of videos, embeddings (B, T, D)."""
        group = videos.complete()  # checked, with everything filled in that was left out
        first, second = pair_indices(len(group.lengths), 'all', group.lengths.device)
        x, y = (F.normalize(group.embeddings[index], dim=2) for index in (first, second))
        logits = (x @ y.transpose(1, 2) / self.temperature).masked_fill(~group.valid[second][:, None], -torch.inf)
        last = (group.lengths - 1).clamp(min=1)
        fraction = torch.arange(x.shape[1], device=x.device) / last[first][:, None]
        place = (fraction * last[second][:, None]).round().long()
        real = group.valid[first]
        return {'loss_proportional': F.cross_entropy(logits[real], place[real])}
