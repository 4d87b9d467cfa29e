"""Repetition counting by cycle regression: labels, the two-stream window of frames, anchor targets.

A *state* is a triple (left, middle, right) of frame numbers: the segment left..middle is taken for one cycle and
middle + 1..right for the next one. The network looks at both with some context and says by how much each is too long
or too short (Zhang et al., CVPR 2020; the UCFRep part of the SEVERE benchmark, ECCV 2022).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# lengths of the true cycle relative to the segment that are told apart by classification
ANCHORS = (0.5, 0.67, 0.8, 1.0, 1.25, 1.5, 2.0)
# what SEVERE fills frames outside the video with, after normalisation; 0 would be neutral
REFERENCE_PADDING = (0.485, 0.456, 0.406)
FRAMES_PER_STREAM = 16
UNDEFINED = -1


def cycle_labels(bounds: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances from every frame to the matching phase of the next and of the previous cycle.

    The phase is interpolated linearly within a cycle; a boundary frame belongs to the later cycle. The distance is
    undefined, -1, where there is no such cycle, or where its length differs by more than 2 frames and a factor of 1.3.

    Args:
        bounds: Frame numbers of the n + 1 boundaries of n cycles, rising.

    Returns:
        Next and previous distances in frames, int64 (bounds[-1] - bounds[0] + 1,) each; the first element belongs to
        frame ``bounds[0]``.

    Raises:
        ValueError: If there are fewer than two boundaries or they do not rise.
    """
    bounds = np.asarray(bounds, np.int64)
    if bounds.ndim != 1 or len(bounds) < 2 or (np.diff(bounds) <= 0).any():
        raise ValueError(f'cycle boundaries must be at least two rising frame numbers, got {bounds.tolist()}')
    lengths = np.diff(bounds)
    frames = np.arange(bounds[0], bounds[-1] + 1)
    cycle = np.minimum(np.searchsorted(bounds, frames, side='right') - 1, len(lengths) - 1)
    own, phase = lengths[cycle], frames - bounds[cycle]
    labels = []
    for direction in (1, -1):
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
    """Frames that the network sees for states (N, 3): 16 of the left stream, then 16 of the right one.

    Each stream spans its segment and, away from the middle, as much context again. Frames before the video are
    negative, frames after it exceed its length.

    Args:
        states: (left, middle, right); fractions are cut off from where the streams begin and end, not from these.

    Returns:
        int64 (N, 32), on the device of ``states``.
    """
    left, middle, right = states.double().unbind(dim=1)
    first = torch.stack([2 * left - middle - 1, middle + 1], dim=1).trunc()[..., None]
    last = torch.stack([middle, 2 * right - (middle + 1).trunc() + 1], dim=1).trunc()[..., None]
    step = (last - first + 1) / (FRAMES_PER_STREAM - 1)
    numbers = torch.arange(FRAMES_PER_STREAM, dtype=torch.float64, device=states.device)
    frames = (first - 0.5 + numbers * step).round()  # halves to even
    return torch.minimum(torch.maximum(frames, first), last).long().flatten(1)


def gather_window(video: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Cut windows out of one video.

    Args:
        video: Frames (C, T, H, W) of any type.
        indices: Frame numbers (N, F), some of them possibly outside 0..T-1.

    Returns:
        Windows (N, C, F, H, W), with the nearest frame where there is none, and whether there is one, bool (N, F).
    """
    exists = (indices >= 0) & (indices < video.shape[1])
    nearest = indices.clamp(0, video.shape[1] - 1).to(video.device)
    windows = video.index_select(1, nearest.flatten()).unflatten(1, nearest.shape).transpose(0, 1)
    return windows, exists.to(video.device)


def fill_missing(windows: Tensor, exists: Tensor, values: Sequence[float] | None = None) -> Tensor:
    """Overwrite the frames that do not exist, in normalised windows (N, C, F, H, W).

    Args:
        windows: What :func:`gather_window` returned, normalised.
        exists: Which frames exist, bool (N, F).
        values: One value per channel; None for 0, the mean colour. SEVERE takes :data:`REFERENCE_PADDING`.
    """
    filler = windows.new_tensor(values if values is not None else [0.0] * windows.shape[1])
    return torch.where(exists[:, None, :, None, None], windows, filler.view(1, -1, 1, 1, 1))


def labels_at(labels: Tensor, positions: Tensor, lengths: Tensor | int | None = None) -> Tensor:
    """Labels (B, T) at positions (B,): (B,), undefined outside of the first ``lengths`` frames."""
    lengths = labels.shape[1] if lengths is None else lengths
    inside = (positions >= 0) & (positions < lengths)
    found = labels.gather(1, positions.clamp(0, labels.shape[1] - 1)[:, None])[:, 0]
    return torch.where(inside, found, UNDEFINED)


def anchor_targets(
    labels: Tensor, segments: Tensor, anchors: Sequence[float] = ANCHORS, min_overlap: float = 0.5
) -> tuple[Tensor, Tensor]:
    """What to predict for segments of a given length.

    Args:
        labels: Distances (B,) to the matching frame, undefined if negative; the cycle has one frame more.
        segments: Lengths (B,) in frames.
        anchors: The A scales of the segment that compete.
        min_overlap: A scaled segment is positive if the shorter of it and the cycle is this share of the longer one.

    Returns:
        Classes, int64 (B, A), 1 positive, 0 negative, -1 undefined; and log scales, float64 (B, A),
        ln(cycle / scaled segment) where positive and -1 elsewhere.
    """
    scaled = segments.double()[:, None] * torch.tensor(anchors, dtype=torch.float64, device=segments.device)
    defined = (labels >= 0)[:, None]
    cycle = (labels.double()[:, None] + 1).where(defined, 1.0)
    positive = torch.minimum(cycle, scaled) / torch.maximum(cycle, scaled) >= min_overlap
    classes = positive.long().where(defined, UNDEFINED)
    return classes, (cycle / scaled).log().where(positive & defined, -1.0)
