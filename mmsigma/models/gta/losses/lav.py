"""Soft-DTW of squared distances (ICML 2017) as a loss, and LAV (CVPR 2021), which adds a contrast within each video."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import VideoGroup, pair_indices
from mmsigma.ops.fast_linear import full_float32
from mmsigma.ops.soft_dtw import smooth_dtw
from mmsigma.registry import MODELS


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances (..., M, N) of (..., M, D) and (..., N, D), by one product of matrices."""
    with full_float32(x.device.type):
        dots = x @ y.transpose(-1, -2)
    norms = (x * x).sum(dim=-1)[..., :, None] + (y * y).sum(dim=-1)[..., None, :]
    return (norms - 2 * dots).clamp(min=0)


def soft_dtw(x: Tensor, y: Tensor, lengths: tuple[Tensor, Tensor], gamma: float = 0.1) -> Tensor:
    """Soft-DTW of sequences (P, M, D) and (P, N, D) with lengths (P,) each: values (P,), which may be negative."""
    return smooth_dtw(squared_distances(x, y), gamma, kind='logsumexp', lengths=lengths).value


def soft_dtw_divergence(x: Tensor, y: Tensor, lengths: tuple[Tensor, Tensor], gamma: float = 0.1) -> Tensor:
    """Soft-DTW less the mean of both with themselves (P,), which is 0 for equal sequences (Blondel et al. 2021)."""
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
    """Contrastive inverse difference moment: frames of a video near in time are alike, others are a margin apart.

    With the weight w = 1 + ((t_i - t_j) / unit)^2: frames within the window cost d / w, others w max(0, margin - d),
    where d is the squared distance.

    Args:
        embeddings: (P, T, D).
        steps: Times t of the frames (P, T).
        valid: Which frames exist (P, T).
        window: Sigma, in frames.
        margin: Of the squared distance.
        unit: Of time in the weight, in frames (P,); None for 1.

    Returns:
        Sum over pairs of frames (P,).
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
        pairs: ``'star'`` or ``'all'``.
        gamma: Temperature of the soft minimum.
        divergence: Subtract the values of both videos with themselves.
        per_frame: Divide each pair's value by the sum of its lengths.

    Raises:
        ValueError: If gamma is not positive.
    """

    interleaved = False

    def __init__(
        self, pairs: str = 'star', gamma: float = 0.1, divergence: bool = False, per_frame: bool = False
    ) -> None:
        super().__init__()
        if not gamma > 0:
            raise ValueError(f'gamma must be positive, got {gamma}')
        pair_indices(2, pairs)
        self.pairs, self.gamma, self.per_frame = pairs, gamma, per_frame
        self.measure = soft_dtw_divergence if divergence else soft_dtw

    def forward(self, videos: VideoGroup) -> dict[str, Tensor]:
        """``loss_soft_dtw``, the mean over pairs of embeddings (B, T, D)."""
        given = videos.complete()
        first, second = pair_indices(len(given.lengths), self.pairs, given.lengths.device)
        lengths = given.lengths[first], given.lengths[second]
        values = self.measure(given.embeddings[first], given.embeddings[second], lengths, self.gamma)
        return {'loss_soft_dtw': (values / (lengths[0] + lengths[1]) if self.per_frame else values).mean()}


@MODELS.register_module()
class LAVLoss(nn.Module):
    """Soft-DTW between videos and a contrastive term within each of them, over the number of frames.

    Args:
        pairs: ``'star'`` or ``'all'``.
        gamma: Temperature of the soft minimum.
        idm_weight: Of the contrastive term.
        window: Frames no farther apart than this are to be alike.
        margin: Squared distance that others are to have.
        normalize_times: The weight of the contrast counts time in lengths of the video. In frames, the contrast is many
            thousand times the alignment, the more so the longer the video. Which of both LAV means is not certain.

    Raises:
        ValueError: If gamma or window is not positive, or a weight or the margin is negative.
    """

    interleaved = False

    def __init__(
        self,
        pairs: str = 'star',
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
        """``loss_soft_dtw`` and ``loss_idm``, means over pairs of embeddings (B, T, D), each over its frames."""
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
