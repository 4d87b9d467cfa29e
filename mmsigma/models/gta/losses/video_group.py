"""Groups of videos of the same action, which are the input of the alignment losses, and the pairs that they form."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mmsigma.ops.precision import at_least_float32

Pairs = Literal['star', 'all']
PAIRS: tuple[Pairs, ...] = ('star', 'all')


class VideoGroup(NamedTuple):
    """Embeddings of the frames of B videos that show the same action, with their positions in the videos.

    Attributes:
        embeddings: Embeddings ``(B, T, D)``.
        lengths: Numbers of frames of the videos out of T, ``(B,)``, int64; None if all have T.
        steps: Frame number of each embedding in its video, ``(B, T)``; None for 0, 1, ..., T - 1. They are compared on
            the CPU and had better stay there.
        num_frames: Numbers of frames of the whole videos, from which the frames were sampled, ``(B,)``; None for the
            lengths.
        names: Names of the videos in errors.
        transcripts: Labels of each video in order, ``(K,)``, int64, or None for a video without; None if there are
            none at all.
    """

    embeddings: Tensor
    lengths: Tensor | None = None
    steps: Tensor | None = None
    num_frames: Tensor | None = None
    names: Sequence[str] | None = None
    transcripts: Sequence[Tensor | None] | None = None

    def complete(self, at_least: int = 2) -> 'CompleteGroup':
        """Replace what is None by its default, check everything, and set embeddings beyond the lengths to 0.

        Args:
            at_least: Number of videos that a loss needs.

        Returns:
            Complete group, with embeddings in float32, or in float64 if they were.

        Raises:
            ValueError: If there are too few videos, shapes do not match, a length is out of range, or embeddings are
                not finite; the message names the videos of the latter.
        """
        embeddings = self.embeddings
        if embeddings.ndim != 3 or 0 in embeddings.shape:
            raise ValueError(f'embeddings must have the shape (B, T, D) without a 0, got {tuple(embeddings.shape)}')
        (batch, num_steps, _), device = embeddings.shape, embeddings.device
        if batch < at_least:
            raise ValueError(f'{batch} video in the group, {at_least} of the same action are needed')
        lengths = torch.full((batch,), num_steps) if self.lengths is None else self.lengths
        _check_shape('lengths', lengths, (batch,))
        if not 1 <= int(lengths.min()) <= int(lengths.max()) <= num_steps:
            raise ValueError(f'lengths must be from 1 to {num_steps}, got {lengths.tolist()}')
        lengths = lengths.to(device)
        steps = torch.arange(num_steps, device=device).expand(batch, -1) if self.steps is None else self.steps
        _check_shape('steps', steps, (batch, num_steps))
        num_frames = lengths if self.num_frames is None else self.num_frames.to(device)
        _check_shape('num_frames', num_frames, (batch,))
        valid = torch.arange(num_steps, device=device) < lengths[:, None]
        embeddings = at_least_float32(embeddings)
        embeddings = embeddings.masked_fill(~valid[..., None], 0)
        if not embeddings.isfinite().all():
            raise ValueError(f'embeddings of {self._not_finite(embeddings)} are not finite: the model has diverged')
        return CompleteGroup(embeddings, lengths, steps.to(device), num_frames, valid)

    def check_order(self, interleaved: bool = False) -> None:
        """Check that the frames have the order that a loss expects.

        Args:
            interleaved: Whether anchors and positives have to alternate, with each positive earlier in time than its
                anchor, unless that is frame 0. Otherwise, all frames have to be in temporal order.

        Raises:
            ValueError: If they have another order; the message names the first such video.
        """
        if self.steps is None:
            return
        steps = self.steps.cpu()
        if interleaved:
            before, after = steps[:, :-1:2], steps[:, 1::2]
            wrong = after > (before - 1).clamp(min=0)
            message = 'is no positive of frame {}, which it follows: the head needs sampling.positives (TCN: 5)'
        else:
            before, after = steps[:, :-1], steps[:, 1:]
            wrong = after < before
            message = 'follows frame {}, and the head takes frames in the order of time: set sampling.positives=0'
        if self.lengths is not None:
            wrong &= torch.arange(1, steps.shape[1], 1 + interleaved) < self.lengths.cpu()[:, None]
        if wrong.any():
            video, place = wrong.nonzero()[0].tolist()
            raise ValueError(
                f'{self.name_of(video)}: frame {after[video, place]} {message.format(before[video, place])}'
            )

    def equally_spaced(self) -> Tensor | None:
        """Return the lengths ``(B,)`` of the videos without the repetitions of their last frame; None if all have T.

        Raises:
            ValueError: If the frames before the repetitions are not at equal distances in time; the message names the
                first such video.
        """
        if self.steps is None:
            return self.lengths
        steps, places = self.steps.cpu(), torch.arange(self.steps.shape[1])
        last = torch.full((len(steps), 1), len(places) - 1) if self.lengths is None else self.lengths.cpu()[:, None] - 1
        line = steps[:, :1] + places * steps.diff(dim=1)[:, :1].sum(dim=1, keepdim=True)  # sum: 0 for a single step
        wrong = (steps != torch.minimum(line, steps.gather(1, last))) & (places <= last)
        if wrong.any():
            video = int(wrong.any(dim=1).nonzero()[0])
            raise ValueError(
                f'{self.name_of(video)}: frames {steps[video].tolist()} are not at equal distances, which the head '
                "needs: set sampling.sampling='stride'"
            )
        return ((steps == line) & (places <= last)).sum(dim=1).masked_fill(line[:, -1] == line[:, 0], 1)

    def _not_finite(self, embeddings: Tensor) -> str:
        broken = (~embeddings.isfinite()).flatten(1).any(dim=1).nonzero().flatten().tolist()
        return ', '.join(map(self.name_of, broken))

    def name_of(self, number: int) -> str:
        """Return the name of a video in errors."""
        return self.names[number] if self.names else f'video {number} of the group'


class CompleteGroup(NamedTuple):
    """Checked :class:`VideoGroup` in which nothing is None.

    Attributes:
        embeddings: Embeddings ``(B, T, D)``, 0 beyond the lengths.
        lengths: Numbers of frames of the videos, ``(B,)``.
        steps: Frame numbers ``(B, T)``.
        num_frames: Numbers of frames of the whole videos, ``(B,)``.
        valid: Mask of the frames within the lengths, ``(B, T)``, bool.
    """

    embeddings: Tensor
    lengths: Tensor
    steps: Tensor
    num_frames: Tensor
    valid: Tensor


def pair_indices(batch: int, pairs: Pairs, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Return the first and the second videos of pairs.

    Args:
        batch: Number B of videos.
        pairs: ``'star'`` pairs the first video with each other one, in B - 1 pairs; ``'all'`` makes all B (B - 1)
            ordered pairs.
        device: Device of the result; None for the default device.

    Returns:
        Indices of the first and of the second videos, ``(P,)`` each, int64.

    Raises:
        ValueError: If ``pairs`` is unknown.
    """
    if pairs not in PAIRS:
        raise ValueError(f'pairs must be one of {PAIRS}, got {pairs!r}')
    if pairs == 'star':
        return torch.zeros(batch - 1, dtype=torch.int64, device=device), torch.arange(1, batch, device=device)
    first, second = (~torch.eye(batch, dtype=torch.bool, device=device)).nonzero().unbind(dim=1)
    return first, second


def _check_shape(name: str, values: Tensor, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f'{name} must have the shape {shape}, got {tuple(values.shape)}')
