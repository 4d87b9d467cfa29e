"""Groups of videos for the tests of alignment."""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models.gta.losses.video_group import VideoGroup


def embeddings(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Random directions."""
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


def alone(
    loss: torch.nn.Module, embs: Tensor, lengths: Tensor, videos: list[int], name: str, **given: Tensor
) -> Tensor:
    """A term of the loss of some videos by themselves, without the padding that only others need."""
    longest = int(lengths[videos].max())
    return loss(VideoGroup(embs[videos][:, :longest], lengths[videos]), **given)[name]
