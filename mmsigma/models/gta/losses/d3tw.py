"""Discriminative alignment: D3TW (CVPR 2019) with label sequences, and D3TW*, GTA's adaptation to pairs of videos."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mmsigma.models.gta.losses.video_group import VideoGroup, pair_indices
from mmsigma.ops.fast_linear import full_float32
from mmsigma.ops.soft_dtw import contrastive_cost, smooth_dtw
from mmsigma.registry import MODELS

MARGIN_FUNCTIONS = ('hinge', 'softplus')
NEGATIVES = ('shuffled', 'random')


def discriminative_loss(positive: Tensor, negative: Tensor, function: str = 'hinge', margin: float = 1.0) -> Tensor:
    """A true alignment should cost less than a wrong one, by a margin.

    Args:
        positive: Costs (B,).
        negative: Costs (B,).
        function: ``'hinge'``, max(0, positive - negative + margin), or ``'softplus'``, log(1 + exp(positive -
            negative)). Neither paper says which.
        margin: Of the hinge.

    Returns:
        Mean over the pairs.

    Raises:
        ValueError: If the function is unknown.
    """
    if function not in MARGIN_FUNCTIONS:
        raise ValueError(f'function must be one of {MARGIN_FUNCTIONS}, got {function!r}')
    gap = positive - negative
    return (F.softplus(gap) if function == 'softplus' else F.relu(gap + margin)).mean()


def transcript_cost(log_probs: Tensor, transcripts: Sequence[Tensor], lengths: Tensor, gamma: float = 0.1) -> Tensor:
    """D3TW: what it costs to align the frames of a video with labels in a given order.

    The recurrence has the three steps of :func:`~mmsigma.ops.soft_dtw.smooth_dtw`: a label takes one frame or more, and
    a frame may take several labels in a row and pays for each. Whether the paper allows for the latter is not known.

    Args:
        log_probs: Of each label in each frame (B, T, C).
        transcripts: Labels in order (K_b,), int64, of each video.
        lengths: Numbers of frames (B,).
        gamma: Temperature of the soft minimum.

    Returns:
        Costs (B,): sums of negative log probabilities along soft paths, through every frame and every label.
    """
    sizes = torch.tensor([len(labels) for labels in transcripts])
    labels = pad_sequence([labels.to(log_probs.device) for labels in transcripts], batch_first=True)
    cost = -log_probs.gather(2, labels[:, None].expand(-1, log_probs.shape[1], -1))
    return smooth_dtw(cost, gamma, kind='logsumexp', lengths=(lengths, sizes)).value


def draw_negatives(
    transcripts: Sequence[Tensor], num_labels: int, kind: str = 'shuffled', generator: torch.Generator | None = None
) -> list[Tensor]:
    """Draw a wrong transcript for each right one, of the same length.

    Args:
        transcripts: Labels in order (K_b,), int64, of each video.
        num_labels: C.
        kind: ``'shuffled'``, the same labels in another order, all orders as likely; or ``'random'``, each any of the C
            labels, which a single label gets in either case. The paper's choice is not known.
        generator: What draws, on the CPU.

    Returns:
        (K_b,) each, on the CPU; none equals its transcript.

    Raises:
        ValueError: If the kind is unknown, or there are fewer than two labels.
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
    """Frames that stay when contiguous portions of videos are dropped.

    Args:
        lengths: (P,).
        num_steps: Width T of the result.
        share: Of the frames of a video that all portions together drop at most, or one each where that is more. How
            much the paper drops is not known.
        portions: Number of portions, which may overlap.
        generator: What draws, on the CPU.

    Returns:
        (P, T), bool, false beyond the lengths; a frame of every video is kept, so that a single one is not
            dropped.
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
    """The kept frames of (P, T, D), one after the other from the first row on, and how many there are (P,)."""
    order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
    return frames.gather(1, order[..., None].expand_as(frames)), kept.sum(dim=1)


@MODELS.register_module()
class D3TWStarLoss(nn.Module):
    """A video aligns better with another one of the action than with what is left of that one after a cut.

    Args:
        pairs: ``'star'`` or ``'all'``.
        gamma: Temperature of the soft minimum.
        temperature: Beta, of the contrastive cost.
        function: ``'hinge'`` or ``'softplus'``, see :func:`discriminative_loss`.
        margin: Of the hinge.
        drop_share: See :func:`draw_kept`.
        drop_portions: Likewise.

    Raises:
        ValueError: If an argument is out of its range.
    """

    interleaved = False

    def __init__(
        self,
        pairs: str = 'star',
        gamma: float = 0.1,
        temperature: float = 0.1,
        function: str = 'hinge',
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
        """``loss_discriminative``, and both mean costs.

        Args:
            videos: Embeddings of unit length (B, T, D).
            kept: Frames that stay of the second video of each pair (P, T), bool, instead of what is drawn here.
        """
        given = videos.complete()
        first, second = pair_indices(len(given.lengths), self.pairs, given.lengths.device)
        x, y, rows = given.embeddings[first], given.embeddings[second], given.lengths[first]
        if kept is None:
            kept = draw_kept(given.lengths[second], y.shape[1], *self.drop)
        part, left = _select(y, kept & given.valid[second])
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
