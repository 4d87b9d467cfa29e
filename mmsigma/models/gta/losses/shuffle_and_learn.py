"""Shuffle and Learn (ECCV 2016): were three frames in order? Triplets of frames, and their classification."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 5  # frames of which a triplet is chosen


class Triplets(NamedTuple):
    """Frames to tell the order of.

    Attributes:
        videos: (S,), int64.
        frames: Three of each (S, 3), int64.
        shuffled: Labels (S,), int64: 1 if they are not in order.
    """

    videos: Tensor
    frames: Tensor
    shuffled: Tensor


def draw_triplets(
    lengths: Tensor,
    samples_per_video: int = 8,
    shuffled_share: float = 0.75,
    generator: torch.Generator | None = None,
    names: Sequence[str] | None = None,
) -> Triplets:
    """Draw triplets as TCC's release does: of five frames a < b < c < d < e of a video, in a random order of time.

    In order is (b, c, d); shuffled (b, a, d) or (b, e, d), as often one as the other. With a probability of one half,
    all triplets are reversed in time.

    Args:
        lengths: Frames of the videos (B,).
        samples_per_video: Triplets of each.
        shuffled_share: Probability of a shuffled one.
        generator: What draws, on the CPU.
        names: What errors call the videos (B).

    Returns:
        B * samples_per_video of them; number s * B + b is from video b.

    Raises:
        ValueError: If a video has fewer than five frames; it is named.
    """
    _check_lengths(lengths, names)
    sizes = lengths.cpu().repeat(samples_per_video)
    keys = torch.rand(len(sizes), int(sizes.max()), generator=generator)
    keys[torch.arange(keys.shape[1]) >= sizes[:, None]] = 2  # after all frames that exist
    a, b, c, d, e = keys.argsort(dim=1)[:, :_LEAST].sort(dim=1).values.unbind(dim=1)
    early = torch.rand(len(sizes), generator=generator) < 0.5
    shuffled = torch.rand(len(sizes), generator=generator) < shuffled_share
    frames = torch.stack([b, torch.where(shuffled, torch.where(early, a, e), c), d], dim=1)
    if torch.rand((), generator=generator) < 0.5:
        frames = frames.flip(1)
    videos = torch.arange(len(lengths)).repeat(samples_per_video)
    return Triplets(*(values.to(lengths.device) for values in (videos, frames, shuffled.long())))


def _check_lengths(lengths: Tensor, names: Sequence[str] | None) -> None:
    shortest = int(lengths.argmin())
    if (least := int(lengths[shortest])) < _LEAST:
        video = names[shortest] if names else f'video {shortest} of the group'
        raise ValueError(
            f'triplets are chosen of {_LEAST} frames, {video} has {least}: raise num_steps to {_LEAST} or more'
        )


def triplet_features(embeddings: Tensor, triplets: Triplets) -> Tensor:
    """Embeddings (B, T, D) of the three frames, one after the other (S, 3 D)."""
    return embeddings[triplets.videos[:, None], triplets.frames].flatten(1)


def order_loss(logits: Tensor, triplets: Triplets) -> Tensor:
    """Cross-entropy of logits (S, 2) for in order and shuffled."""
    return F.cross_entropy(logits.float() if logits.dtype != torch.float64 else logits, triplets.shuffled)
