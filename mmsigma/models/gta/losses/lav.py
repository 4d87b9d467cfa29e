"""Losses of Soft-DTW on squared distances (ICML 2017) and of LAV (CVPR 2021), which adds a contrast within videos."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import Pairs, VideoGroup, pair_indices
from mmsigma.ops.precision import full_float32
from mmsigma.ops.soft_dtw import smooth_dtw
from mmsigma.registry import MODELS


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Compute squared distances ``(..., M, N)`` of ``(..., M, D)`` and ``(..., N, D)`` with one matrix product."""
    with full_float32(x.device.type):
        dots = x @ y.transpose(-1, -2)
    norms = (x * x).sum(dim=-1)[..., :, None] + (y * y).sum(dim=-1)[..., None, :]
    return (norms - 2 * dots).clamp(min=0)


def soft_dtw(x: Tensor, y: Tensor, lengths: tuple[Tensor, Tensor], gamma: float = 0.1) -> Tensor:
    """Compute Soft-DTW of sequences ``(P, M, D)`` and ``(P, N, D)`` with squared distances as the cost.

    Args:
        x: First sequences, ``(P, M, D)``.
        y: Second sequences, ``(P, N, D)``.
        lengths: Lengths of the first and the second sequences, ``(P,)`` each.
        gamma: Temperature of the soft minimum.

    Returns:
        Values ``(P,)``, which may be negative.
    """
    return smooth_dtw(squared_distances(x, y), gamma, kind='logsumexp', lengths=lengths).value


def soft_dtw_divergence(x: Tensor, y: Tensor, lengths: tuple[Tensor, Tensor], gamma: float = 0.1) -> Tensor:
    """Compute Soft-DTW minus the mean of both sequences' Soft-DTW with themselves (Blondel et al. 2021).

    It is 0 for equal sequences. For the arguments, see :func:`soft_dtw`.
    """
    rows, columns = lengths
    own = soft_dtw(x, x, (rows, rows), gamma) + soft_dtw(y, y, (columns, columns), gamma)
    return soft_dtw(x, y, lengths, gamma) - own / 2


def contrastive_idm(
    embeddings: Tensor,
    steps: Tensor,
    valid: Tensor,
    *,
    window: float = 10,
    margin: float = 2.0,
    unit: Tensor | None = None,
) -> Tensor:
    """Compute the contrastive inverse difference moment, which pulls frames near in time together and others apart.

    With the squared distance d and the weight w = 1 + ((t_i - t_j) / unit)^2, the cost of a pair of frames is d / w
    within the window, and w max(0, margin - d) outside of it.

    Args:
        embeddings: Embeddings of the frames, ``(P, T, D)``.
        steps: Times t of the frames, ``(P, T)``.
        valid: Mask of the frames that exist, ``(P, T)``.
        window: Half-width sigma of the window in frames.
        margin: Margin of the squared distance.
        unit: Unit of time in the weight, in frames, ``(P,)``; None for 1.

    Returns:
        Sums over pairs of frames, ``(P,)``.
    """
    distances = squared_distances(embeddings, embeddings)
    gaps = (steps[:, :, None] - steps[:, None, :]).to(distances.dtype)
    weights = 1 + (gaps if unit is None else gaps / unit[:, None, None]).square()
    costs = torch.where(gaps.abs() <= window, distances / weights, weights * F.relu(margin - distances))
    return costs.masked_fill(~(valid[:, :, None] & valid[:, None, :]), 0).sum(dim=(1, 2))


@MODELS.register_module()
class SoftDTWLoss(nn.Module):
    """Soft-DTW of squared distances between videos, or its divergence.

    Args:
        pairs: Pairs of videos, ``'star'`` or ``'all'``; see :func:`pair_indices`.
        gamma: Temperature of the soft minimum.
        divergence: Whether to use :func:`soft_dtw_divergence`.
        per_frame: Whether to divide the value of each pair by the sum of its lengths.

    Raises:
        ValueError: If ``gamma`` is not positive, or ``pairs`` is unknown.
    """

    interleaved = False

    def __init__(
        self, pairs: Pairs = 'star', gamma: float = 0.1, divergence: bool = False, per_frame: bool = False
    ) -> None:
        super().__init__()
        if not gamma > 0:
            raise ValueError(f'gamma must be positive, got {gamma}')
        pair_indices(2, pairs)
        self.pairs, self.gamma, self.per_frame = pairs, gamma, per_frame
        self.measure = soft_dtw_divergence if divergence else soft_dtw

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute ``loss_soft_dtw``, the mean over pairs of videos."""
        given = videos.complete()
        first, second = pair_indices(len(given.lengths), self.pairs, given.lengths.device)
        lengths = given.lengths[first], given.lengths[second]
        values = self.measure(given.embeddings[first], given.embeddings[second], lengths, self.gamma)
        return {'loss_soft_dtw': (values / (lengths[0] + lengths[1]) if self.per_frame else values).mean()}


@MODELS.register_module()
class LAVLoss(nn.Module):
    """Soft-DTW between videos and a contrastive term within each video, both divided by the number of frames (LAV).

    Args:
        pairs: Pairs of videos, ``'star'`` or ``'all'``; see :func:`pair_indices`.
        gamma: Temperature of the soft minimum.
        idm_weight: Weight of the contrastive term.
        window: Largest distance in frames at which embeddings are pulled together.
        margin: Squared distance up to which other embeddings are pushed apart.
        normalize_times: Whether the weight of the contrast measures time in lengths of the video. In frames, the
            contrast is many thousand times as large as the alignment, the more so the longer the video. It is not
            certain which of the two LAV uses.

    Raises:
        ValueError: If ``gamma`` or ``window`` is not positive, a weight or the margin is negative, or ``pairs`` is
            unknown.
    """

    interleaved = False

    def __init__(
        self,
        pairs: Pairs = 'star',
        gamma: float = 0.1,
        idm_weight: float = 0.5,
        window: float = 10,
        margin: float = 2.0,
        normalize_times: bool = True,
    ) -> None:
        super().__init__()
        if not (gamma > 0 and window > 0 and idm_weight >= 0 and margin >= 0):
            raise ValueError(
                'gamma and window must be positive, idm_weight and margin not negative, '
                f'got {gamma=}, {window=}, {idm_weight=}, {margin=}'
            )
        pair_indices(2, pairs)
        self.pairs, self.gamma, self.idm_weight = pairs, gamma, idm_weight
        self.idm, self.normalize_times = dict(window=window, margin=margin), normalize_times

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """Compute ``loss_soft_dtw`` and ``loss_idm``, means over pairs of values per frame."""
        given = videos.complete()
        first, second = pair_indices(len(given.lengths), self.pairs, given.lengths.device)
        rows, columns = given.lengths[first], given.lengths[second]
        frames = (rows + columns) / 2
        value = soft_dtw(given.embeddings[first], given.embeddings[second], (rows, columns), self.gamma)
        unit = given.num_frames if self.normalize_times else None
        own = contrastive_idm(given.embeddings, given.steps, given.valid, unit=unit, **self.idm)
        return {
            'loss_soft_dtw': (value / frames).mean(),
            'loss_idm': self.idm_weight * ((own[first] + own[second]) / frames).mean(),
        }
