"""Temporal cycle consistency (TCC, CVPR 2019): a frame's soft nearest neighbour in another video leads back to it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.gta.losses.video_group import CompleteGroup, VideoGroup, pair_indices
from mmsigma.ops.fast_linear import full_float32
from mmsigma.registry import MODELS

KINDS = ('classification', 'regression_mse', 'regression_mse_var', 'regression_huber')
SIMILARITIES = ('l2', 'cosine')


def scaled_similarity(x: Tensor, y: Tensor, similarity: str = 'l2', temperature: float = 0.1) -> Tensor:
    """Similarities (..., M, N) of frames (..., M, D) and (..., N, D), over the width and the temperature.

    ``'l2'``: the negative squared distance. ``'cosine'``: the dot product; embeddings are not normalised here.
    """
    with full_float32(x.device.type):
        dots = x @ y.transpose(-1, -2)
    if similarity == 'l2':
        dots = 2 * dots - (x * x).sum(dim=-1)[..., :, None] - (y * y).sum(dim=-1)[..., None, :]
    return dots / (x.shape[-1] * temperature)


def soft_neighbours(
    x: Tensor, y: Tensor, valid: Tensor, similarity: str = 'l2', temperature: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Means of the frames of y, weighted by their similarity to each frame of x.

    Args:
        x: (P, M, D).
        y: (P, N, D).
        valid: Which frames of y exist (P, N).
        similarity: See :func:`scaled_similarity`.
        temperature: Likewise.

    Returns:
        Neighbours (P, M, D), and the logits of the weights (P, M, N), -inf for frames that do not exist.
    """
    logits = scaled_similarity(x, y, similarity, temperature).masked_fill(~valid[:, None], -torch.inf)
    with full_float32(x.device.type):
        return logits.softmax(dim=2) @ y, logits


def pair_cycles(
    videos: CompleteGroup, similarity: str = 'l2', temperature: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """All frames of each video, to each other video and back.

    Returns:
        Logits over the frames of the own video (B (B - 1), T, T); the frame where each began (B (B - 1), T), -1 for
        frames that do not exist; the video (B (B - 1),).
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
    """Random cycles through different videos, and the frame where each begins.

    Args:
        lengths: Of the videos (B,).
        num_cycles: How many.
        cycle_length: Videos of a cycle, 2 to B.
        generator: What draws, on the CPU.

    Returns:
        Videos (C, cycle_length + 1), the last of which is the first, and frames (C,).

    Raises:
        ValueError: If there are not as many videos.
    """
    if not 2 <= cycle_length <= len(lengths):
        raise ValueError(f'cycles of {len(lengths)} videos have a length of 2 to {len(lengths)}, not {cycle_length}')
    order = torch.rand(num_cycles, len(lengths), generator=generator).argsort(dim=1)[:, :cycle_length]
    cycles = torch.cat([order, order[:, :1]], dim=1)
    frames = torch.rand(num_cycles, generator=generator) * lengths.cpu()[cycles[:, 0]]
    return cycles.to(lengths.device), frames.long().to(lengths.device)


def drawn_cycles(
    videos: CompleteGroup, cycles: Tensor, start: Tensor, similarity: str = 'l2', temperature: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """One frame along each cycle, by way of soft nearest neighbours.

    Args:
        videos: Embeddings (B, T, D).
        cycles: Videos that each cycle visits (C, L + 1), the last of which is the first.
        start: The frame of the first video (C,).
        similarity: See :func:`scaled_similarity`.
        temperature: Likewise.

    Returns:
        As :func:`pair_cycles`, with one frame per cycle: (C, 1, T), (C, 1), (C,).

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
    """Cross-entropy of coming back to the frame where it began.

    Args:
        logits: (P, M, T), -inf for frames that do not exist.
        places: Frame where each began (P, M), -1 for none.
        lengths: Number of frames that exist (P,).
        label_smoothing: Share of the target that is spread over these.

    Returns:
        Mean over the frames.
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
    kind: str = 'regression_mse_var',
    *,
    variance_lambda: float = 0.001,
    variance_floor: float = 1e-5,
    huber_delta: float = 0.1,
) -> Tensor:
    """Distance in time between where a frame began and where it is expected to come back.

    Args:
        logits: (P, M, T).
        places: Frame where each began (P, M), -1 for none.
        times: Of the frames (P, T).
        kind: ``'regression_mse'``, ``'regression_huber'``, or ``'regression_mse_var'``, error^2 / variance +
            ``variance_lambda`` log variance, of the time over the softmax.
        variance_lambda: Weight of the logarithm.
        variance_floor: The variance counts as no smaller. The release has none, and there the loss of embeddings that
            are far apart reaches 1e12.
        huber_delta: Where the Huber loss becomes linear.

    Returns:
        Mean over the frames.
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
    """Temporal cycle consistency of all ordered pairs of videos, or of random cycles.

    Args:
        kind: ``'classification'``, ``'regression_mse'``, ``'regression_mse_var'`` (release) or ``'regression_huber'``.
        similarity: ``'l2'``, the negative squared distance, or ``'cosine'``, the dot product; over the width and the
            temperature.
        temperature: Divides the similarity.
        label_smoothing: Of the classification.
        normalize_indices: Times are shares of the whole video instead of numbers of frames.
        variance_lambda: See :func:`cycle_regression`.
        variance_floor: Likewise; in shares of the video if indices are normalised, in frames otherwise, squared.
        huber_delta: Likewise.
        num_cycles: Draw so many cycles instead of taking all pairs.
        cycle_length: Number of videos of a drawn cycle.

    Raises:
        ValueError: If an argument is out of its range.
    """

    interleaved = False

    def __init__(
        self,
        kind: str = 'regression_mse_var',
        similarity: str = 'l2',
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
        if kind not in KINDS or similarity not in SIMILARITIES:
            raise ValueError(f'kind must be one of {KINDS}, similarity of {SIMILARITIES}: got {kind!r}, {similarity!r}')
        if temperature <= 0 or not 0 <= label_smoothing < 1 or variance_floor < 0:
            raise ValueError(
                f'temperature must be positive, label_smoothing within [0, 1) and variance_floor not negative, '
                f'got {temperature=}, {label_smoothing=}, {variance_floor=}'
            )
        self.kind, self.label_smoothing, self.normalize_indices = kind, label_smoothing, normalize_indices
        self.metric = dict(similarity=similarity, temperature=temperature)
        self.regression = dict(variance_lambda=variance_lambda, variance_floor=variance_floor, huber_delta=huber_delta)
        self.num_cycles, self.cycle_length = num_cycles, cycle_length

    def forward(self, videos: VideoGroup, cycles: tuple[Tensor, Tensor] | None = None) -> dict[str, Tensor]:
        """``loss_cycle``, the mean over frames.

        Args:
            videos: Embeddings; not to be normalised, as the release trains them.
            cycles: Videos and first frames of the cycles, see :func:`draw_cycles`, instead of what is drawn here.
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
