"""Losses of GTA (CVPR 2021): alignment of videos with global cycle consistency, and the alignment alone (D2TW)."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import PAIRS, CompleteGroup, Pairs, VideoGroup, pair_indices
from mmsigma.ops.precision import full_float32
from mmsigma.ops.soft_dtw import KINDS, AccumulatedCost, Kind, contrastive_cost, cosine_cost, smooth_dtw
from mmsigma.registry import MODELS

CycleKind = Literal['logits', 'probability']
CostKind = Literal['contrastive', 'cosine']
CYCLES: tuple[CycleKind, ...] = ('logits', 'probability')
TRAINING_COSTS: tuple[CostKind, ...] = ('contrastive', 'cosine')


class PairedAlignment(NamedTuple):
    """Alignment of P pairs of videos x and y in both directions; tables are meaningless beyond the lengths.

    Attributes:
        forth: Alignment of x with y: values ``(P,)`` and tables ``(P, T, T)``, with frames of x as rows.
        back: Alignment of y with x, with frames of y as rows.
        rows: Lengths of the videos x, ``(P,)``.
        columns: Lengths of the videos y, ``(P,)``.
    """

    forth: AccumulatedCost
    back: AccumulatedCost
    rows: Tensor
    columns: Tensor


def align_pairs(
    videos: CompleteGroup,
    *,
    pairs: Pairs = 'star',
    gamma: float = 0.1,
    temperature: float = 0.1,
    kind: Kind = 'smoothmin',
    skip_frames: int = 1,
    cost: CostKind = 'contrastive',
) -> PairedAlignment:
    """Align pairs of videos in both directions with SmoothDTW, all in one batch.

    Args:
        videos: Embeddings of unit length, ``(B, T, D)``.
        pairs: Pairs of videos, ``'star'`` (release) or ``'all'``; see :func:`pair_indices`.
        gamma: Temperature of the minimum.
        temperature: Temperature beta of the contrastive cost.
        kind: Minimum, ``'smoothmin'`` or ``'logsumexp'``; see :func:`~mmsigma.ops.soft_dtw.smooth_min`.
        skip_frames: Stride of the frames of the first video of a pair.
        cost: Cost of a pair of frames, ``'contrastive'`` (equation 8, see :func:`contrastive_cost`) or ``'cosine'``
            (see :func:`cosine_cost`).

    Raises:
        ValueError: If ``pairs``, ``kind`` or ``cost`` is unknown.
    """
    if cost not in TRAINING_COSTS:
        raise ValueError(f'cost must be one of {TRAINING_COSTS}, got {cost!r}')
    num_steps, device = videos.embeddings.shape[1], videos.embeddings.device
    first, second = pair_indices(len(videos.embeddings), pairs, device)
    taken = torch.arange(0, num_steps, skip_frames, device=device)
    x, y = videos.embeddings[first].index_select(1, taken), videos.embeddings[second]
    # padded to T steps again, so that both directions fit into one batch
    x = torch.nn.functional.pad(x, (0, 0, 0, num_steps - len(taken)))
    rows, columns = (videos.lengths[first] + skip_frames - 1) // skip_frames, videos.lengths[second]
    lengths = torch.cat([rows, columns]), torch.cat([columns, rows])
    with full_float32(device.type):
        x, y = torch.cat([x, y]), torch.cat([y, x])
        contrastive = cost == 'contrastive'
        costs = contrastive_cost(x, y, temperature, lengths[0]) if contrastive else cosine_cost(x, y, lengths)
        both = smooth_dtw(costs, gamma, kind=kind, lengths=lengths)
    forth, back = (AccumulatedCost(*parts) for parts in zip(*(part.chunk(2) for part in both), strict=True))
    return PairedAlignment(forth, back, rows, columns)


class CycleConsistency(NamedTuple):
    """Result of :func:`cycle_consistency`.

    Attributes:
        loss: Mean over the frames x of all pairs, a scalar.
        cycle: Probabilities that a frame of x (row) returns from y to each frame of x (column), ``(P, T, T)``; rows sum
            to 1 within the lengths.
    """

    loss: Tensor
    cycle: Tensor


def cycle_consistency(
    aligned: PairedAlignment, *, cycle: CycleKind = 'logits', label_smoothing: float = 0.1, temperature: float = 1.0
) -> CycleConsistency:
    """Compute the loss of frames that do not return to themselves from the other video.

    A frame is mapped to the frames of the other video by the softmax of the negative accumulated costs -R, so that
    whole tables get gradients.

    Args:
        aligned: Alignments in both directions.
        cycle: ``'logits'`` takes the probabilities of the cycle as logits of a cross-entropy with label smoothing, as
            the release does; for 20 frames it is bounded by 2.17 and 3.07. ``'probability'`` is the cross-entropy of
            the probabilities themselves, as in the paper, without smoothing.
        label_smoothing: Label smoothing of ``'logits'``.
        temperature: Divisor of the accumulated costs.

    Raises:
        ValueError: If ``cycle`` is unknown.
    """
    if cycle not in CYCLES:
        raise ValueError(f'cycle must be one of {CYCLES}, got {cycle!r}')
    places = torch.arange(aligned.forth.table.shape[1], device=aligned.rows.device)
    is_row, is_column = places < aligned.rows[:, None], places < aligned.columns[:, None]
    # Padded columns need no mask here: in the product, they meet the padded rows of the other direction, which are 0.
    # `to_x` maps frames of y (columns) to x (rows), `to_y` frames of x to y.
    to_x = _column_log_softmax(aligned.forth.table / temperature, is_row)
    to_y = _column_log_softmax(aligned.back.table / temperature, is_column)
    with full_float32(places.device.type):
        probabilities = (to_x.exp() @ to_y.exp()).transpose(1, 2)  # rows: where a frame begins, columns: where it ends
    if cycle == 'probability':
        # as a sum of logarithms, because the probability itself underflows for long videos
        losses = -(to_x + to_y.transpose(1, 2)).logsumexp(dim=2)
    else:
        logits = probabilities.masked_fill(~is_row[:, None], -torch.inf).log_softmax(dim=2)
        spread = logits.masked_fill(~is_row[:, None], 0).sum(dim=2) / aligned.rows[:, None]
        losses = -(1 - label_smoothing) * logits.diagonal(dim1=1, dim2=2) - label_smoothing * spread
    return CycleConsistency(losses.masked_fill(~is_row, 0).sum() / aligned.rows.sum(), probabilities)


def _column_log_softmax(table: Tensor, is_row: Tensor) -> Tensor:
    """Compute log softmax(-table) over the rows within the lengths; padded rows get about -1e30, whose exp is 0."""
    return (-table).masked_fill(~is_row[:, :, None], -1e30).log_softmax(dim=1)


class _PairLoss(nn.Module):
    """Base of the losses on aligned pairs, which holds the arguments of the alignment."""

    interleaved = False

    def __init__(
        self, pairs: Pairs, gamma: float, temperature: float, kind: Kind, skip_frames: int, cost: CostKind
    ) -> None:
        super().__init__()
        if not (gamma > 0 and temperature > 0) or skip_frames < 1:
            raise ValueError(
                f'gamma and temperature must be positive and skip_frames at least 1, '
                f'got {gamma=}, {temperature=}, {skip_frames=}'
            )
        if kind not in KINDS or pairs not in PAIRS or cost not in TRAINING_COSTS:
            raise ValueError(
                f'kind must be one of {KINDS}, pairs one of {PAIRS} and cost one of {TRAINING_COSTS}, '
                f'got {kind!r}, {pairs!r} and {cost!r}'
            )
        self.settings: dict[str, Any] = dict(
            pairs=pairs, gamma=gamma, temperature=temperature, kind=kind, skip_frames=skip_frames, cost=cost
        )

    def align(self, videos: VideoGroup) -> PairedAlignment:
        return align_pairs(videos.complete(), **self.settings)


@MODELS.register_module()
class GTALoss(_PairLoss):
    """Alignment in both directions with global cycle consistency (GTA); the defaults are those of the release.

    Args:
        pairs: Pairs of videos: ``'star'``, the first video with each other one, or ``'all'``.
        gamma: Temperature of the minimum of SmoothDTW.
        temperature: Temperature beta of the contrastive cost.
        kind: Minimum, ``'smoothmin'`` or ``'logsumexp'`` (that of Soft-DTW).
        skip_frames: Stride of the frames of the first video of a pair.
        alignment_weight: Weight of the mean cost of each direction.
        cycle_weight: Weight of the cycle consistency.
        revcons: Whether to add the cycle consistency.
        cycle: Cycle consistency, ``'logits'`` (as in the release) or ``'probability'`` (as in the paper); see
            :func:`cycle_consistency`.
        label_smoothing: Label smoothing of ``'logits'``.
        cycle_temperature: Divisor of the accumulated costs in the cycle consistency.
        cost: Cost of a pair of frames: ``'contrastive'``, or ``'cosine'``, which is 1 - cos. The latter has no
            ``temperature``, and is also minimised by making all embeddings equal.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        pairs: Pairs = 'star',
        gamma: float = 0.1,
        temperature: float = 0.1,
        *,
        kind: Kind = 'smoothmin',
        skip_frames: int = 1,
        alignment_weight: float = 0.1,
        cycle_weight: float = 1.0,
        revcons: bool = True,
        cycle: CycleKind = 'logits',
        label_smoothing: float = 0.1,
        cycle_temperature: float = 1.0,
        cost: CostKind = 'contrastive',
    ) -> None:
        super().__init__(pairs, gamma, temperature, kind, skip_frames, cost)
        if cycle not in CYCLES or not 0 <= label_smoothing < 1 or cycle_temperature <= 0:
            raise ValueError(
                f'cycle must be one of {CYCLES}, label_smoothing within [0, 1) and cycle_temperature positive, '
                f'got {cycle!r}, {label_smoothing} and {cycle_temperature}'
            )
        self.alignment_weight, self.cycle_weight, self.revcons = alignment_weight, cycle_weight, revcons
        self.cycle: dict[str, Any] = dict(cycle=cycle, label_smoothing=label_smoothing, temperature=cycle_temperature)

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute the weighted terms ``loss_forth``, ``loss_back`` and ``loss_cycle``, whose sum is the loss.

        Args:
            videos: Embeddings of unit length of videos of one action.
        """
        aligned = self.align(videos)
        terms = {
            'loss_forth': self.alignment_weight * aligned.forth.value.mean(),
            'loss_back': self.alignment_weight * aligned.back.value.mean(),
        }
        if self.revcons:
            terms['loss_cycle'] = self.cycle_weight * cycle_consistency(aligned, **self.cycle).loss
        return terms


@MODELS.register_module()
class D2TWLoss(_PairLoss):
    """Alignment of the first video of a pair with the second, in this direction only, with a weight of 1 (D2TW).

    Args:
        pairs: Pairs of videos, ``'star'`` or ``'all'``; see :func:`pair_indices`.
        gamma: Temperature of the minimum.
        temperature: Temperature beta of the contrastive cost.
        kind: Minimum, ``'smoothmin'`` or ``'logsumexp'``.
        skip_frames: Stride of the frames of the first video of a pair.
        cost: Cost of a pair of frames, ``'contrastive'`` or ``'cosine'``; see :class:`GTALoss`.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        pairs: Pairs = 'star',
        gamma: float = 0.1,
        temperature: float = 0.1,
        kind: Kind = 'smoothmin',
        skip_frames: int = 1,
        cost: CostKind = 'contrastive',
    ) -> None:
        super().__init__(pairs, gamma, temperature, kind, skip_frames, cost)

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute ``loss_forth``, the mean cost over pairs."""
        return {'loss_forth': self.align(videos).forth.value.mean()}
