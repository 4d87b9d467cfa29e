"""Discriminative alignment: D3TW (CVPR 2019) with label sequences, and D3TW*, GTA's adaptation to pairs of videos."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mmsigma.models.gta.losses.video_group import Pairs, VideoGroup, pair_indices
from mmsigma.ops.precision import full_float32
from mmsigma.ops.soft_dtw import contrastive_cost, smooth_dtw
from mmsigma.registry import MODELS

MarginFunction = Literal['hinge', 'softplus']
NegativeKind = Literal['shuffled', 'random']
MARGIN_FUNCTIONS: tuple[MarginFunction, ...] = ('hinge', 'softplus')
NEGATIVES: tuple[NegativeKind, ...] = ('shuffled', 'random')


def discriminative_loss(
    positive: Tensor, negative: Tensor, function: MarginFunction = 'hinge', margin: float = 1.0
) -> Tensor:
    """Penalise true alignments that do not cost less, by a margin, than wrong ones.

    Args:
        positive: Costs of the true alignments, ``(B,)``.
        negative: Costs of the wrong alignments, ``(B,)``.
        function: Function of the difference, ``'hinge'``, max(0, positive - negative + margin), or ``'softplus'``,
            log(1 + exp(positive - negative)). Neither paper states which one it uses.
        margin: Margin of the hinge.

    Returns:
        Mean over the pairs, a scalar.

    Raises:
        ValueError: If ``function`` is unknown.
    """
    if function not in MARGIN_FUNCTIONS:
        raise ValueError(f'function must be one of {MARGIN_FUNCTIONS}, got {function!r}')
    gap = positive - negative
    return (F.softplus(gap) if function == 'softplus' else F.relu(gap + margin)).mean()


def transcript_cost(log_probs: Tensor, transcripts: Sequence[Tensor], lengths: Tensor, gamma: float = 0.1) -> Tensor:
    """Compute the cost of aligning the frames of videos with labels in a given order (D3TW).

    The recurrence has the three steps of :func:`~mmsigma.ops.soft_dtw.smooth_dtw`: a label spans one frame or more, and
    a frame may have several labels in a row, each of which adds to the cost. It is not known whether the paper allows
    the latter.

    Args:
        log_probs: Log probability of each label in each frame, ``(B, T, C)``.
        transcripts: Labels of each video in order, ``(K_b,)``, int64.
        lengths: Numbers of frames of the videos, ``(B,)``.
        gamma: Temperature of the soft minimum.

    Returns:
        Costs ``(B,)``, which are sums of negative log probabilities along soft paths through all frames and labels.
    """
    sizes = torch.tensor([len(labels) for labels in transcripts])
    labels = pad_sequence([labels.to(log_probs.device) for labels in transcripts], batch_first=True)
    # cost of label K_b[k] in frame t: (B, T, max K_b)
    cost = -log_probs.gather(2, labels[:, None].expand(-1, log_probs.shape[1], -1))
    return smooth_dtw(cost, gamma, kind='logsumexp', lengths=(lengths, sizes)).value


def draw_negatives(
    transcripts: Sequence[Tensor],
    num_labels: int,
    kind: NegativeKind = 'shuffled',
    generator: torch.Generator | None = None,
) -> list[Tensor]:
    """Draw a wrong transcript of the same length for each transcript.

    Args:
        transcripts: Labels of each video in order, ``(K_b,)``, int64.
        num_labels: Number C of labels.
        kind: ``'shuffled'`` draws another order of the same labels, uniformly; ``'random'`` draws each label uniformly
            from all C. Transcripts with a single distinct label are drawn as ``'random'`` in either case. The choice of
            the paper is not known.
        generator: Random generator of the draws, on the CPU.

    Returns:
        Transcripts ``(K_b,)`` on the CPU, none of which equals the given one.

    Raises:
        ValueError: If ``kind`` is unknown, or there are fewer than two labels.
    """
    if kind not in NEGATIVES or num_labels < 2:
        raise ValueError(f'negatives must be one of {NEGATIVES}, of two labels or more, got {kind!r} of {num_labels}')
    negatives = []
    for labels in (transcript.cpu() for transcript in transcripts):
        drawn, shuffled = labels, kind == 'shuffled' and len(labels.unique()) > 1
        while torch.equal(drawn, labels):
            if shuffled:
                drawn = labels[torch.randperm(len(labels), generator=generator)]
            else:
                drawn = torch.randint(num_labels, labels.shape, generator=generator)
        negatives.append(drawn)
    return negatives


def draw_kept(
    lengths: Tensor, num_steps: int, share: float = 0.5, portions: int = 1, generator: torch.Generator | None = None
) -> Tensor:
    """Draw contiguous portions of videos to drop, and return which frames are kept.

    Args:
        lengths: Numbers of frames of the videos, ``(P,)``.
        num_steps: Number T of columns of the result.
        share: Largest share of the frames of a video that all portions drop together; each portion drops at least one
            frame, though. It is not known how much the paper drops.
        portions: Number of portions, which may overlap.
        generator: Random generator of the draws, on the CPU.

    Returns:
        Mask of the kept frames, ``(P, T)``, bool, False beyond the lengths. At least one frame of every video is kept.
    """
    sizes = lengths.cpu()
    times, places = torch.arange(num_steps), sizes[:, None]
    kept = times < places
    width = (sizes * share / portions).long().clamp(min=1)
    for _ in range(portions):
        first = (torch.rand(len(sizes), generator=generator) * (sizes - width + 1)).long()
        kept &= (times < first[:, None]) | (times >= (first + width)[:, None])
    kept[:, 0] |= ~kept.any(dim=1)
    return kept.to(lengths.device)


def _select(frames: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """Move the kept frames of ``(P, T, D)`` to the front, in order, and count them, ``(P,)``."""
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    return frames.gather(1, order[..., None].expand_as(frames)), kept.sum(dim=1)


@MODELS.register_module()
class D3TWStarLoss(nn.Module):
    """Loss by which a video aligns better with another video than with that video after portions are dropped (D3TW*).

    Args:
        pairs: Pairs of videos, ``'star'`` or ``'all'``; see :func:`pair_indices`.
        gamma: Temperature of the soft minimum.
        temperature: Temperature beta of the contrastive cost.
        function: Function of the difference of costs, ``'hinge'`` or ``'softplus'``; see :func:`discriminative_loss`.
        margin: Margin of the hinge.
        drop_share: Largest share of frames to drop; see :func:`draw_kept`.
        drop_portions: Number of portions to drop; see :func:`draw_kept`.

    Raises:
        ValueError: If an argument is out of range.
    """

    interleaved = False

    def __init__(
        self,
        pairs: Pairs = 'star',
        gamma: float = 0.1,
        temperature: float = 0.1,
        function: MarginFunction = 'hinge',
        margin: float = 1.0,
        *,
        drop_share: float = 0.5,
        drop_portions: int = 1,
    ) -> None:
        super().__init__()
        if function not in MARGIN_FUNCTIONS:
            raise ValueError(f'function must be one of {MARGIN_FUNCTIONS}, got {function!r}')
        if not (gamma > 0 and temperature > 0 and margin >= 0) or not 0 < drop_share < 1 or drop_portions < 1:
            raise ValueError(
                'gamma and temperature must be positive, margin not negative, drop_share within (0, 1) and '
                f'drop_portions at least 1, got {gamma=}, {temperature=}, {margin=}, {drop_share=}, {drop_portions=}'
            )
        pair_indices(2, pairs)
        self.pairs, self.gamma, self.temperature = pairs, gamma, temperature
        self.function, self.margin, self.drop = function, margin, (drop_share, drop_portions)

    def forward(self, videos: VideoGroup, kept: Tensor | None = None) -> dict[str, Tensor]:
        """Compute ``loss_discriminative`` and both mean costs.

        Args:
            videos: Embeddings of unit length, ``(B, T, D)``.
            kept: Mask of the kept frames of the second video of each pair, ``(P, T)``, bool; None to draw it.
        """
        given = videos.complete()
        first, second = pair_indices(len(given.lengths), self.pairs, given.lengths.device)
        x, y, rows = given.embeddings[first], given.embeddings[second], given.lengths[first]
        if kept is None:
            kept = draw_kept(given.lengths[second], y.shape[1], *self.drop)
        part, left = _select(y, kept & given.valid[second])
        # the first P alignments are with whole videos, the other P with what is left of them
        with full_float32(x.device.type):
            cost = contrastive_cost(x.repeat(2, 1, 1), torch.cat([y, part]), self.temperature, rows.repeat(2))
        columns = torch.cat([given.lengths[second], left])
        values = smooth_dtw(cost, self.gamma, kind='logsumexp', lengths=(rows.repeat(2), columns)).value
        positive, negative = values.chunk(2)
        return {
            'loss_discriminative': discriminative_loss(positive, negative, self.function, self.margin),
            'cost_positive': positive.detach().mean(),
            'cost_negative': negative.detach().mean(),
        }
