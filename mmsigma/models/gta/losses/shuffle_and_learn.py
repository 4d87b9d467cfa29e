"""Shuffle and Learn (ECCV 2016): triplets of frames, and the classification of their order."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.precision import at_least_float32

_LEAST = 5  # number of frames from which a triplet is chosen


class Triplets(NamedTuple):
    """S triplets of frames whose order is to be classified.

    Attributes:
        videos: Video of each triplet, ``(S,)``, int64.
        frames: Frames of each triplet, ``(S, 3)``, int64.
        shuffled: Labels ``(S,)``, int64, which are 1 if the frames are not in order.
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
    """Draw triplets from five random frames a < b < c < d < e of a video, as the release of TCC does.

    An ordered triplet is (b, c, d); a shuffled one is (b, a, d) or (b, e, d) with equal probability. With a probability
    of one half, all triplets are reversed in time.

    Args:
        lengths: Numbers of frames of the videos, ``(B,)``.
        samples_per_video: Number of triplets per video.
        shuffled_share: Probability that a triplet is shuffled.
        generator: Random generator of the draws, on the CPU.
        names: Names of the B videos in errors.

    Returns:
        ``B * samples_per_video`` triplets, of which triplet s * B + b is from video b.

    Raises:
        ValueError: If a video has fewer than five frames; the message names it.
    """
    _check_lengths(lengths, names)
    sizes = lengths.cpu().repeat(samples_per_video)
    keys = torch.rand(len(sizes), int(sizes.max()), generator=generator)
    keys[torch.arange(keys.shape[1]) >= sizes[:, None]] = 2  # sorts after all frames that exist
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
    """Concatenate the embeddings, out of ``(B, T, D)``, of the three frames of each triplet, ``(S, 3 D)``."""
    return embeddings[triplets.videos[:, None], triplets.frames].flatten(1)


def order_loss(logits: Tensor, triplets: Triplets) -> Tensor:
    """Compute the cross-entropy of logits ``(S, 2)`` for ordered and shuffled."""
    return F.cross_entropy(at_least_float32(logits), triplets.shuffled)
