"""Alignment of videos with global cycle consistency (GTA, CVPR 2021), and the alignment alone (D2TW)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import PAIRS, CompleteGroup, VideoGroup, pair_indices
from mmsigma.ops.fast_linear import full_float32
from mmsigma.ops.soft_dtw import KINDS, AccumulatedCost, contrastive_cost, cosine_cost, smooth_dtw
from mmsigma.registry import MODELS

CYCLES = ('logits', 'probability')
COSTS = ('contrastive', 'cosine')


class PairedAlignment(NamedTuple):
    """Alignment of P pairs of videos x and y in both directions; tables are meaningless beyond the lengths.

    Attributes:
        forth: Of x with y: values (P,), tables (P, T, T).
        back: Of y with x.
        rows: Lengths of x (P,).
        columns: Lengths of y (P,).
    """

    forth: AccumulatedCost
    back: AccumulatedCost
    rows: Tensor
    columns: Tensor


def align_pairs(
    videos: CompleteGroup,
    *,
    pairs: str = 'star',
    gamma: float = 0.1,
    temperature: float = 0.1,
    kind: str = 'smoothmin',
    skip_frames: int = 1,
    cost: str = 'contrastive',
) -> PairedAlignment:
    """SmoothDTW of pairs of videos, in both directions, all in one sweep.

    Args:
        videos: Embeddings of unit length (B, T, D).
        pairs: ``'star'`` (release) or ``'all'``, see :func:`pair_indices`.
        gamma: Temperature of the minimum.
        temperature: Beta, of the contrastive cost.
        kind: Of the minimum, ``'smoothmin'`` or ``'logsumexp'``.
        skip_frames: Take every so manieth frame of the first video of a pair.
        cost: ``'contrastive'`` (equation 8), see :func:`contrastive_cost`, or ``'cosine'``, see :func:`cosine_cost`.

    Raises:
        ValueError: If ``pairs``, ``kind`` or ``cost`` is none of these.
    """
    if cost not in COSTS:
        raise ValueError(f'cost must be one of {COSTS}, got {cost!r}')
    num_steps, device = videos.embeddings.shape[1], videos.embeddings.device
    first, second = pair_indices(len(videos.embeddings), pairs, device)
    taken = torch.arange(0, num_steps, skip_frames, device=device)
    x, y = videos.embeddings[first].index_select(1, taken), videos.embeddings[second]
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
        loss: Mean over the frames of all pairs.
        cycle: Where each frame of x comes out after going to y and back (P, T, T); rows sum to 1 within the lengths.
    """

    loss: Tensor
    cycle: Tensor


def cycle_consistency(
    aligned: PairedAlignment, *, cycle: str = 'logits', label_smoothing: float = 0.1, temperature: float = 1.0
) -> CycleConsistency:
    """Frames that go to the other video and back should come out where they were.

    A frame goes by the softmax of the accumulated costs -R over the frames of the other video, so that the whole tables
    have gradients. ``'logits'``: cross-entropy of the cycle's probabilities taken as logits, with label smoothing: what
    the release trains; for 20 frames it stays within 2.17 and 3.07. ``'probability'``: the cross-entropy of the
    probabilities themselves, as the paper reads, without smoothing.

    Args:
        aligned: Tables of both directions.
        cycle: ``'logits'`` or ``'probability'``.
        label_smoothing: Of ``'logits'``.
        temperature: Divides the accumulated costs.

    Raises:
        ValueError: If ``cycle`` is neither.
    """
    if cycle not in CYCLES:
        raise ValueError(f'cycle must be one of {CYCLES}, got {cycle!r}')
    places = torch.arange(aligned.forth.table.shape[1], device=aligned.rows.device)
    is_row, is_column = places < aligned.rows[:, None], places < aligned.columns[:, None]
    # columns of padding are columns of the other direction's padded rows, where the probability is 0
    to_x = _column_log_softmax(aligned.forth.table / temperature, is_row)
    to_y = _column_log_softmax(aligned.back.table / temperature, is_column)
    with full_float32(places.device.type):
        probabilities = (to_x.exp() @ to_y.exp()).transpose(1, 2)
    if cycle == 'probability':
        # a sum of logarithms: the probability itself underflows for long videos
        losses = -(to_x + to_y.transpose(1, 2)).logsumexp(dim=2)
    else:
        logits = probabilities.masked_fill(~is_row[:, None], -torch.inf).log_softmax(dim=2)
        spread = logits.masked_fill(~is_row[:, None], 0).sum(dim=2) / aligned.rows[:, None]
        losses = -(1 - label_smoothing) * logits.diagonal(dim1=1, dim2=2) - label_smoothing * spread
    return CycleConsistency(losses.masked_fill(~is_row, 0).sum() / aligned.rows.sum(), probabilities)


def _column_log_softmax(table: Tensor, is_row: Tensor) -> Tensor:
    """Logarithm of softmax(-table) over the rows that exist; those that do not have -1e30, whose exp is 0."""
    return (-table).masked_fill(~is_row[:, :, None], -1e30).log_softmax(dim=1)


class _PairLoss(nn.Module):
    """What the losses of this file share: the alignment's arguments."""

    interleaved = False

    def __init__(self, pairs: str, gamma: float, temperature: float, kind: str, skip_frames: int, cost: str) -> None:
        super().__init__()
        if not (gamma > 0 and temperature > 0) or skip_frames < 1:
            raise ValueError(
                f'gamma and temperature must be positive and skip_frames at least 1, '
                f'got {gamma=}, {temperature=}, {skip_frames=}'
            )
        if kind not in KINDS or pairs not in PAIRS or cost not in COSTS:
            raise ValueError(
                f'kind must be one of {KINDS}, pairs one of {PAIRS} and cost one of {COSTS}, '
                f'got {kind!r}, {pairs!r} and {cost!r}'
            )
        self.settings = dict(
            pairs=pairs, gamma=gamma, temperature=temperature, kind=kind, skip_frames=skip_frames, cost=cost
        )

    def align(self, videos: VideoGroup) -> PairedAlignment:
        return align_pairs(videos.complete(), **self.settings)


@MODELS.register_module()
class GTALoss(_PairLoss):
    """Alignment in both directions and global cycle consistency; the defaults are the release's.

    Args:
        pairs: ``'star'``, the first video with each other one, or ``'all'``.
        gamma: Temperature of SmoothDTW's minimum.
        temperature: Beta, of the contrastive cost.
        kind: Of the minimum: ``'smoothmin'``, or ``'logsumexp'`` (Soft-DTW's).
        skip_frames: Take every so manieth frame of the first video of a pair.
        alignment_weight: Of the mean cost of each direction.
        cycle_weight: Of the cycle consistency.
        revcons: Whether there is cycle consistency.
        cycle: ``'logits'``, as the release computes it, or ``'probability'``, as the paper writes it.
        label_smoothing: Of ``'logits'``.
        cycle_temperature: Divides the accumulated costs of which correspondences are made.
        cost: ``'contrastive'``, or ``'cosine'``, 1 - cos, of each pair of frames by itself; the latter takes no
            ``temperature`` and can be made small by making all embeddings alike.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        pairs: str = 'star',
        gamma: float = 0.1,
        temperature: float = 0.1,
        *,
        kind: str = 'smoothmin',
        skip_frames: int = 1,
        alignment_weight: float = 0.1,
        cycle_weight: float = 1.0,
        revcons: bool = True,
        cycle: str = 'logits',
        label_smoothing: float = 0.1,
        cycle_temperature: float = 1.0,
        cost: str = 'contrastive',
    ) -> None:
        super().__init__(pairs, gamma, temperature, kind, skip_frames, cost)
        if cycle not in CYCLES or not 0 <= label_smoothing < 1 or cycle_temperature <= 0:
            raise ValueError(
                f'cycle must be one of {CYCLES}, label_smoothing within [0, 1) and cycle_temperature positive, '
                f'got {cycle!r}, {label_smoothing} and {cycle_temperature}'
            )
        self.alignment_weight, self.cycle_weight, self.revcons = alignment_weight, cycle_weight, revcons
        self.cycle = dict(cycle=cycle, label_smoothing=label_smoothing, temperature=cycle_temperature)

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Weighted terms, ``loss_forth``, ``loss_back`` and ``loss_cycle``, whose sum is the loss.

        Args:
            videos: Embeddings of unit length, of videos of one action.
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
    """Alignment of the first video of a pair with the second, in this direction only, with a weight of 1.

    Args:
        pairs: ``'star'`` or ``'all'``.
        gamma: Temperature of the minimum.
        temperature: Beta, of the contrastive cost.
        kind: Of the minimum.
        skip_frames: Take every so manieth frame of the first video of a pair.
        cost: ``'contrastive'`` or ``'cosine'``, see :class:`GTALoss`.
    """

    def __init__(
        self,
        pairs: str = 'star',
        gamma: float = 0.1,
        temperature: float = 0.1,
        kind: str = 'smoothmin',
        skip_frames: int = 1,
        cost: str = 'contrastive',
    ) -> None:
        super().__init__(pairs, gamma, temperature, kind, skip_frames, cost)

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """``loss_forth``, the mean over pairs."""
        return {'loss_forth': self.align(videos).forth.value.mean()}
