"""Repetition counting by cycle regression: labels, the two-stream window of frames, and anchor targets.

A *state* is a triple (left, middle, right) of frame numbers: the segment left..middle is taken as one cycle and
middle + 1..right as the next. The network sees both with some context and predicts by how much each is too long or too
short (Zhang et al., CVPR 2020; the UCFRep part of the SEVERE benchmark, ECCV 2022).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# scales of the segment that are classified as matching the true cycle or not
ANCHORS = (0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0)
# value that SEVERE fills frames outside the video with, after normalisation; 0 would be neutral
REFERENCE_PADDING = (0.485, 0.456, 0.406)
FRAMES_PER_STREAM = 16
UNDEFINED = -1  # label of a frame without a matching phase


def cycle_labels(bounds: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances from every frame to the same phase of the next and of the previous cycle.

    The phase is interpolated linearly within a cycle; a boundary frame belongs to the later cycle. The distance is
    undefined, -1, where there is no such cycle, or where its length differs by both more than 2 frames and more than a
    factor of 1.3.

    Args:
        bounds: Increasing frame numbers of the n + 1 boundaries of n cycles.

    Returns:
        Distances to the next and to the previous cycle, in frames, ``(bounds[-1] - bounds[0] + 1,)`` each, int64. The
        first element belongs to frame ``bounds[0]``.

    Raises:
        ValueError: If there are fewer than two boundaries or they are not increasing.
    """
    bounds = np.asarray(bounds, np.int64)
    if bounds.ndim != 1 or len(bounds) < 2 or (np.diff(bounds) <= 0).any():
        raise ValueError(f'cycle boundaries must be at least two increasing frame numbers, got {bounds.tolist()}')
    lengths = np.diff(bounds)
    frames = np.arange(bounds[0], bounds[-1] + 1)
    cycle = np.minimum(np.searchsorted(bounds, frames, side='right') - 1, len(lengths) - 1)
    own, phase = lengths[cycle], frames - bounds[cycle]
    labels = []
    for direction in (1, -1):  # the next cycle, then the previous one
        neighbour = cycle + direction
        exists = (neighbour >= 0) & (neighbour < len(lengths))
        other = lengths[neighbour.clip(0, len(lengths) - 1)]
        # distance = direction * (start of the neighbour + phase * other / own - frame), over the denominator own
        start_offset = own if direction == 1 else -other
        numerator = direction * ((start_offset - phase) * own + phase * other)
        distance = (2 * numerator + own) // (2 * own)  # halves away from zero; it is never negative
        alike = (np.abs(own - other) <= 2) | (10 * np.maximum(own, other) <= 13 * np.minimum(own, other))
        labels.append(np.where(exists & alike, distance, UNDEFINED))
    return labels[0], labels[1]


def window_indices(states: Tensor) -> Tensor:
    """Return the frames that the network sees for each state: 16 of the left stream, then 16 of the right stream.

    Each stream spans its segment and, on the side away from the middle, context of the same length. Frames before the
    video have negative numbers; those after it exceed its length.

    Args:
        states: Triples (left, middle, right), ``(N, 3)``. Fractions are truncated from the ends of the streams, not
            from the states themselves.

    Returns:
        Frame numbers ``(N, 32)``, int64, on the device of ``states``.
    """
    left, middle, right = states.double().unbind(dim=1)
    # first and last frame of both streams, (N, 2, 1) each
    first = torch.stack([2 * left - middle - 1, middle + 1], dim=1).trunc()[..., None]
    last = torch.stack([middle, 2 * right - (middle + 1).trunc() + 1], dim=1).trunc()[..., None]
    step = (last - first + 1) / (FRAMES_PER_STREAM - 1)
    numbers = torch.arange(FRAMES_PER_STREAM, dtype=torch.float64, device=states.device)
    frames = (first - 0.5 + numbers * step).round()  # (N, 2, 16), halves to even
    return torch.minimum(torch.maximum(frames, first), last).long().flatten(1)


def gather_window(video: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Cut windows out of one video.

    Args:
        video: Frames ``(C, T, H, W)`` of any type.
        indices: Frame numbers ``(N, F)``; some may lie outside 0..T-1.

    Returns:
        Windows ``(N, C, F, H, W)``, with the nearest frame where the requested one does not exist, and a bool mask
        ``(N, F)`` of those that exist.
    """
    exists = (indices >= 0) & (indices < video.shape[1])
    nearest = indices.clamp(0, video.shape[1] - 1).to(video.device)
    windows = video.index_select(1, nearest.flatten()).unflatten(1, nearest.shape).transpose(0, 1)
    return windows, exists.to(video.device)


def fill_missing(windows: Tensor, exists: Tensor, values: Sequence[float] | None = None) -> Tensor:
    """Overwrite the frames of normalised windows that do not exist.

    Args:
        windows: Windows from :func:`gather_window` after normalisation, ``(N, C, F, H, W)``.
        exists: Which frames exist, ``(N, F)``, bool.
        values: Fill value per channel; None for 0, the mean colour. SEVERE uses :data:`REFERENCE_PADDING`.

    Returns:
        Windows ``(N, C, F, H, W)``.
    """
    filler = windows.new_tensor(values if values is not None else [0.0] * windows.shape[1])
    return torch.where(exists[:, None, :, None, None], windows, filler.view(1, -1, 1, 1, 1))


def labels_at(labels: Tensor, positions: Tensor, lengths: Tensor | int | None = None) -> Tensor:
    """Look labels ``(B, T)`` up at positions ``(B,)``; undefined outside the first ``lengths`` frames."""
    lengths = labels.shape[1] if lengths is None else lengths
    inside = (positions >= 0) & (positions < lengths)
    found = labels.gather(1, positions.clamp(0, labels.shape[1] - 1)[:, None])[:, 0]
    return torch.where(inside, found, UNDEFINED)


def anchor_targets(
    labels: Tensor, segments: Tensor, anchors: Sequence[float] = ANCHORS, min_overlap: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Return the classification and regression targets of segments of a given length.

    Args:
        labels: Distances to the matching frame in frames, ``(B,)``, undefined if negative. The cycle is one frame
            longer.
        segments: Lengths of the segments in frames, ``(B,)``.
        anchors: A scales of the segment, which are classified independently.
        min_overlap: Smallest ratio of the shorter to the longer of scaled segment and cycle at which the anchor is
            positive.

    Returns:
        Classes ``(B, A)``, int64: 1 positive, 0 negative, -1 undefined; and log scales ``(B, A)``, float64:
        ln(cycle / scaled segment) where positive and -1 elsewhere.
    """
    scaled = segments.double()[:, None] * torch.tensor(anchors, dtype=torch.float64, device=segments.device)
    defined = (labels >= 0)[:, None]
    cycle = (labels.double()[:, None] + 1).where(defined, 1.0)
    positive = torch.minimum(cycle, scaled) / torch.maximum(cycle, scaled) >= min_overlap
    classes = positive.long().where(defined, UNDEFINED)
    return classes, (cycle / scaled).log().where(positive & defined, -1.0)
