"""Temporal cycle consistency (TCC, CVPR 2019): the soft nearest neighbour of a frame in another video leads back."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import CompleteGroup, VideoGroup, pair_indices
from mmsigma.ops.precision import full_float32
from mmsigma.registry import MODELS

CycleLoss = Literal['classification', 'regression_mse', 'regression_mse_var', 'regression_huber']
FrameSimilarity = Literal['l2', 'cosine']
CYCLE_LOSSES: tuple[CycleLoss, ...] = ('classification', 'regression_mse', 'regression_mse_var', 'regression_huber')
SIMILARITIES: tuple[FrameSimilarity, ...] = ('l2', 'cosine')


def scaled_similarity(x: Tensor, y: Tensor, similarity: FrameSimilarity = 'l2', temperature: float = 0.1) -> Tensor:
    """Compute similarities of frames, divided by the number D of channels and the temperature.

    Args:
        x: Embeddings ``(..., M, D)``.
        y: Embeddings ``(..., N, D)``.
        similarity: ``'l2'`` is the negative squared distance, ``'cosine'`` the dot product, without normalisation.
        temperature: Temperature.

    Returns:
        Similarities ``(..., M, N)``.
    """
    with full_float32(x.device.type):
        dots = x @ y.transpose(-1, -2)
    if similarity == 'l2':
        dots = 2 * dots - (x * x).sum(dim=-1)[..., :, None] - (y * y).sum(dim=-1)[..., None, :]
    return dots / (x.shape[-1] * temperature)


def soft_neighbours(
    x: Tensor, y: Tensor, valid: Tensor, similarity: FrameSimilarity = 'l2', temperature: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Compute the soft nearest neighbour of each frame of x: the mean of the frames of y, weighted by similarity.

    Args:
        x: Embeddings ``(P, M, D)``.
        y: Embeddings ``(P, N, D)``.
        valid: Mask of the frames of y that exist, ``(P, N)``.
        similarity: ``'l2'`` or ``'cosine'``; see :func:`scaled_similarity`.
        temperature: Temperature of the similarities.

    Returns:
        Neighbours ``(P, M, D)`` and the logits of their weights, ``(P, M, N)``, -inf for frames that do not exist.
    """
    logits = scaled_similarity(x, y, similarity, temperature).masked_fill(~valid[:, None], -torch.inf)
    with full_float32(x.device.type):
        return logits.softmax(dim=2) @ y, logits


def pair_cycles(
    videos: CompleteGroup, similarity: FrameSimilarity = 'l2', temperature: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """Follow all frames of each video to each other video and back.

    Args:
        videos: Embeddings ``(B, T, D)``.
        similarity: ``'l2'`` or ``'cosine'``; see :func:`scaled_similarity`.
        temperature: Temperature of the similarities.

    Returns:
        For the P = B (B - 1) ordered pairs: logits over the frames to which each frame returns, ``(P, T, T)``; the
        frame where each began, ``(P, T)``, -1 for frames that do not exist; and the first video, ``(P,)``.
    """
    first, second = pair_indices(len(videos.embeddings), 'all', videos.embeddings.device)
    x, y = videos.embeddings[first], videos.embeddings[second]
    neighbours, _ = soft_neighbours(x, y, videos.valid[second], similarity, temperature)
    _, logits = soft_neighbours(neighbours, x, videos.valid[first], similarity, temperature)
    places = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
    return logits, places.masked_fill(~videos.valid[first], -1), first


def draw_cycles(
    lengths: Tensor, num_cycles: int, cycle_length: int = 2, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw random cycles through different videos, and the frame where each begins.

    Args:
        lengths: Numbers of frames of the videos, ``(B,)``.
        num_cycles: Number C of cycles.
        cycle_length: Number of videos of a cycle, from 2 to B.
        generator: Random generator of the draws, on the CPU.

    Returns:
        Videos ``(C, cycle_length + 1)``, the last of which equals the first, and frames ``(C,)``.

    Raises:
        ValueError: If ``cycle_length`` is out of range.
    """
    if not 2 <= cycle_length <= len(lengths):
        raise ValueError(f'cycles of {len(lengths)} videos have a length of 2 to {len(lengths)}, not {cycle_length}')
    order = torch.rand(num_cycles, len(lengths), generator=generator).argsort(dim=1)[:, :cycle_length]
    cycles = torch.cat([order, order[:, :1]], dim=1)
    frames = torch.rand(num_cycles, generator=generator) * lengths.cpu()[cycles[:, 0]]
    return cycles.to(lengths.device), frames.long().to(lengths.device)


def drawn_cycles(
    videos: CompleteGroup, cycles: Tensor, start: Tensor, similarity: FrameSimilarity = 'l2', temperature: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """Follow one frame along each cycle by soft nearest neighbours.

    Args:
        videos: Embeddings ``(B, T, D)``.
        cycles: Videos that each cycle visits, ``(C, L + 1)``, the last of which equals the first.
        start: Frame of the first video where each cycle begins, ``(C,)``.
        similarity: ``'l2'`` or ``'cosine'``; see :func:`scaled_similarity`.
        temperature: Temperature of the similarities.

    Returns:
        The values of :func:`pair_cycles` with one frame per cycle: ``(C, 1, T)``, ``(C, 1)`` and ``(C,)``.

    Raises:
        ValueError: If a cycle does not end where it began, or a frame does not exist.
    """
    if cycles.ndim != 2 or cycles.shape[1] < 3 or not torch.equal(cycles[:, 0], cycles[:, -1]):
        raise ValueError(f'cycles must end with the video they began with, got the shape {tuple(cycles.shape)}')
    cycles, start = cycles.to(videos.lengths.device).long(), start.to(videos.lengths.device)
    if not ((start >= 0) & (start < videos.lengths[cycles[:, 0]])).all():
        raise ValueError('some cycles begin at a frame that does not exist')
    query = videos.embeddings[cycles[:, 0], start][:, None]
    for hop in cycles[:, 1:].unbind(dim=1):
        query, logits = soft_neighbours(query, videos.embeddings[hop], videos.valid[hop], similarity, temperature)
    return logits, start[:, None], cycles[:, 0]


def cycle_classification(logits: Tensor, places: Tensor, lengths: Tensor, label_smoothing: float = 0.1) -> Tensor:
    """Compute the cross-entropy of returning to the frame where a cycle began.

    Args:
        logits: Logits over the frames of return, ``(P, M, T)``, -inf for frames that do not exist.
        places: Frame where each cycle began, ``(P, M)``, -1 for none.
        lengths: Numbers of frames that exist, ``(P,)``.
        label_smoothing: Share of the target that is spread over the frames that exist.

    Returns:
        Mean over the frames, a scalar.
    """
    logs = logits.log_softmax(dim=2)
    hit = logs.gather(2, places.clamp(min=0)[..., None]).squeeze(2)
    spread = logs.masked_fill(logs == -torch.inf, 0).sum(dim=2) / lengths[:, None]
    losses = -(1 - label_smoothing) * hit - label_smoothing * spread
    return losses[places >= 0].mean()


def cycle_regression(
    logits: Tensor,
    places: Tensor,
    times: Tensor,
    kind: CycleLoss = 'regression_mse_var',
    *,
    variance_lambda: float = 0.001,
    variance_floor: float = 1e-5,
    huber_delta: float = 0.1,
) -> Tensor:
    """Compute the error in time between the frame where a cycle began and its expected frame of return.

    Args:
        logits: Logits over the frames of return, ``(P, M, T)``.
        places: Frame where each cycle began, ``(P, M)``, -1 for none.
        times: Times of the frames, ``(P, T)``.
        kind: ``'regression_mse'``, ``'regression_huber'``, or ``'regression_mse_var'``, which is error^2 / variance +
            ``variance_lambda`` log variance, with the variance of the time under the softmax.
        variance_lambda: Weight of the logarithm.
        variance_floor: Smallest value of the variance. The release has no floor, so that its loss reaches 1e12 for
            embeddings that are far apart.
        huber_delta: Error at which the Huber loss becomes linear.

    Returns:
        Mean over the frames, a scalar.
    """
    share = logits.softmax(dim=2)
    pred, true = (share * times[:, None]).sum(dim=2), times.gather(1, places.clamp(min=0))
    if kind == 'regression_huber':
        losses = F.huber_loss(pred, true, reduction='none', delta=huber_delta)
    else:
        losses = (pred - true).square()
    if kind == 'regression_mse_var':
        variance = (share * (times[:, None] - pred[..., None]).square()).sum(dim=2).clamp(min=variance_floor)
        losses = losses / variance + variance_lambda * variance.log()
    return losses[places >= 0].mean()


@MODELS.register_module()
class TCCLoss(nn.Module):
    """Temporal cycle consistency of all ordered pairs of videos, or of random cycles (TCC).

    Args:
        kind: Loss of a cycle: ``'classification'``, ``'regression_mse'``, ``'regression_mse_var'`` (release) or
            ``'regression_huber'``.
        similarity: ``'l2'`` or ``'cosine'``; see :func:`scaled_similarity`.
        temperature: Temperature of the similarities.
        label_smoothing: Label smoothing of ``'classification'``.
        normalize_indices: Whether times are shares of the whole video instead of frame numbers.
        variance_lambda: Weight of the logarithm of the variance; see :func:`cycle_regression`.
        variance_floor: Smallest value of the variance, in squared shares of the video if indices are normalised, and in
            squared frames otherwise.
        huber_delta: Error at which the Huber loss becomes linear.
        num_cycles: Number of cycles to draw; None to use all pairs.
        cycle_length: Number of videos of a drawn cycle.

    Raises:
        ValueError: If an argument is out of range.
    """

    interleaved = False

    def __init__(
        self,
        kind: CycleLoss = 'regression_mse_var',
        similarity: FrameSimilarity = 'l2',
        temperature: float = 0.1,
        *,
        label_smoothing: float = 0.1,
        normalize_indices: bool = True,
        variance_lambda: float = 0.001,
        variance_floor: float = 1e-5,
        huber_delta: float = 0.1,
        num_cycles: int | None = None,
        cycle_length: int = 2,
    ) -> None:
        super().__init__()
        if kind not in CYCLE_LOSSES or similarity not in SIMILARITIES:
            raise ValueError(
                f'kind must be one of {CYCLE_LOSSES}, similarity of {SIMILARITIES}: got {kind!r}, {similarity!r}'
            )
        if temperature <= 0 or not 0 <= label_smoothing < 1 or variance_floor < 0:
            raise ValueError(
                f'temperature must be positive, label_smoothing within [0, 1) and variance_floor not negative, '
                f'got {temperature=}, {label_smoothing=}, {variance_floor=}'
            )
        self.kind, self.label_smoothing, self.normalize_indices = kind, label_smoothing, normalize_indices
        self.metric: dict[str, Any] = dict(similarity=similarity, temperature=temperature)
        self.regression = dict(variance_lambda=variance_lambda, variance_floor=variance_floor, huber_delta=huber_delta)
        self.num_cycles, self.cycle_length = num_cycles, cycle_length

    def forward(self, videos: VideoGroup, cycles: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """Compute ``loss_cycle``, the mean over frames.

        Args:
            videos: Embeddings ``(B, T, D)``, which are not normalised in the release.
            cycles: Videos and first frames of the cycles, see :func:`draw_cycles`; None to draw them.
        """
        given = videos.complete()
        if cycles is None and self.num_cycles is not None:
            cycles = draw_cycles(given.lengths, self.num_cycles, self.cycle_length)
        around = pair_cycles(given, **self.metric) if cycles is None else drawn_cycles(given, *cycles, **self.metric)
        logits, places, video = around
        if self.kind == 'classification':
            loss = cycle_classification(logits, places, given.lengths[video], self.label_smoothing)
        else:
            times = given.steps.to(logits.dtype)
            if self.normalize_indices:
                times = times / given.num_frames[:, None]
            loss = cycle_regression(logits, places, times[video], self.kind, **self.regression)
        return {'loss_cycle': loss}
