"""Region similarity J and contour accuracy F of video object segmentation (DAVIS; Perazzi et al. 2016).

The results equal those of the official evaluation of DAVIS-2017, but take a fraction of the time: the regions of all
objects come from one joint histogram, and contours are compared within the bounding boxes of objects only.
"""

import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from mmsigma.io.mask_checks import VOID, count_pixels, mask_ids

Array = np.ndarray


class Statistics(NamedTuple):
    """Statistics of the scores of one object over time; see :func:`score_statistics`."""

    mean: float
    recall: float
    decay: float


def region_similarity(pred: Array, gt: Array, num_objects: int) -> Array:
    """Compute the intersection over union of every object in one frame.

    Args:
        pred: Predicted ids, ``(H, W)``, uint8.
        gt: True ids, ``(H, W)``, uint8; ids above ``num_objects`` (255 is void) count as background.
        num_objects: Number of objects O, with ids 1..O.

    Returns:
        IoU ``(O,)``, float64; 1 where an object is in neither mask.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(pred, gt)
    pred, gt = _occupied(pred, gt)
    size = num_objects + 1
    pair = np.uint8 if size * size <= 256 else np.uint16
    joint = _foreground(gt, num_objects).astype(pair) * size + _foreground(pred, num_objects).astype(pair, copy=False)
    counts = count_pixels(joint) if pair == np.uint8 else np.bincount(joint.ravel(), minlength=size * size)
    table = counts[: size * size].reshape(size, size)
    overlap = table.diagonal()[1:]
    union = table.sum(axis=0)[1:] + table.sum(axis=1)[1:] - overlap
    return np.where(union > 0, overlap / np.maximum(union, 1), 1.0)


def contour_accuracy(pred: Array, gt: Array, num_objects: int, tolerance: float = 0.008) -> Array:
    """Compute the F-measure of every object's boundary in one frame.

    A boundary pixel counts as matched if the boundary of the other mask is within ceil(tolerance * diagonal) pixels.

    Args:
        pred: Predicted ids, ``(H, W)``, uint8.
        gt: True ids, ``(H, W)``, uint8; ids above ``num_objects`` count as background.
        num_objects: Number of objects O, with ids 1..O.
        tolerance: Matching distance relative to the diagonal of the frame.

    Returns:
        F-measure ``(O,)``, float64; 1 if neither mask has a boundary, 0 if only one of them has.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(pred, gt)
    radius = math.ceil(tolerance * math.hypot(*gt.shape))
    pred, gt = _occupied(pred, gt)
    return np.array([_contour_of_one(pred == i, gt == i, radius) for i in range(1, num_objects + 1)], np.float64)


def _occupied(pred: Array, gt: Array) -> tuple[Array, Array]:
    """Return the part of two masks ``(H, W)`` that contains everything in either of them, and the pixels next to it."""
    anything = pred | gt
    if anything.dtype != np.uint8:  # all that OpenCV takes
        anything = (anything != 0).view(np.uint8)
    left, top, width, height = cv2.boundingRect(anything)
    rows, columns = slice(max(top - 1, 0), top + height + 1), slice(max(left - 1, 0), left + width + 1)
    return pred[rows, columns], gt[rows, columns]


def _contour_of_one(pred: Array, gt: Array, radius: int) -> float:
    """Return the F-measure of one object's boundary, given its bool masks ``(H, W)``."""
    window = _window(pred | gt, radius)
    if window is None:
        return 1.0
    pred_edge, gt_edge = _boundary(pred, window), _boundary(gt, window)
    num_pred, num_gt = np.count_nonzero(pred_edge), np.count_nonzero(gt_edge)
    if not num_pred or not num_gt:
        return float(num_pred == num_gt)
    precision = np.count_nonzero(pred_edge & _within(gt_edge, radius)) / num_pred
    recall = np.count_nonzero(gt_edge & _within(pred_edge, radius)) / num_gt
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _window(mask: Array, radius: int) -> tuple[slice, slice] | None:
    """Return the part of the frame that contains all boundaries of ``mask``, or None for an empty mask."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return None
    return slice(max(y - 1, 0), y + height), slice(max(x - 1, 0), x + width)


def _boundary(mask: Array, window: tuple[slice, slice]) -> Array:
    """Return the pixels in a window that differ from their right, lower or lower-right neighbour.

    In the last column, only the lower neighbour counts; in the last row, only the right one.
    """
    rows, columns = window
    part = mask[
        rows.start : rows.stop + 1, columns.start : columns.stop + 1
    ]  # one pixel more for the neighbours, except at the frame's edge
    edge = np.zeros(part.shape, bool)
    edge[:, :-1] |= part[:, :-1] != part[:, 1:]
    edge[:-1] |= part[:-1] != part[1:]
    edge[:-1, :-1] |= part[:-1, :-1] != part[1:, 1:]
    return edge[: rows.stop - rows.start, : columns.stop - columns.start]


def _within(edge: Array, radius: int) -> Array:
    """Return the pixels at a distance of at most ``radius`` from an edge pixel."""
    return cv2.dilate(edge.view(np.uint8), _disk(radius)).view(bool)


@cache
def _disk(radius: int) -> Array:
    offsets = np.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)


def _foreground(labels: Array, num_objects: int) -> Array:
    """Turn ids above ``num_objects`` into background."""
    return np.where(labels > num_objects, np.uint8(0), labels) if labels.max(initial=0) > num_objects else labels


def _check_shapes(pred: Array, gt: Array) -> None:
    if pred.shape != gt.shape:
        raise ValueError(f'the prediction has the shape {pred.shape}, the ground truth {gt.shape}; both must be (H, W)')


def score_statistics(scores: Sequence[float] | Array) -> Statistics:
    """Compute mean, recall and decay of the scores of one object over time.

    Recall is the fraction of scores above 0.5. Decay is the mean of the first minus the mean of the last of four parts
    of the video.

    Args:
        scores: Scores ``(T,)``; nan for frames without a score.
    """
    scores = np.asarray(scores, np.float64)
    if not len(scores) or np.isnan(scores).all():
        return Statistics(math.nan, math.nan, math.nan)
    edges = np.round(np.linspace(1, len(scores), 5) + 1e-10).astype(np.int64) - 1
    first, last = scores[edges[0] : edges[1] + 1], scores[edges[3] : edges[4] + 1]
    decay = _nanmean(first) - _nanmean(last)
    return Statistics(_nanmean(scores), float((np.nan_to_num(scores) > 0.5).mean()), decay)


def _nanmean(values: Array) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else math.nan


class SequenceScores(NamedTuple):
    """Scores of the objects of one sequence, without its first and its last frame.

    Attributes:
        region: Region similarity J, ``(O, T - 2)``.
        contour: Contour accuracy F, ``(O, T - 2)``.
        ids: Id of each object.
        absent: Ids among these that are not in the first true frame.
        late: First frame of each id that is in a later true frame only, by id.
    """

    region: Array
    contour: Array
    ids: tuple[int, ...]
    absent: tuple[int, ...]
    late: dict[int, int]

    def statistics(self) -> list[tuple[Statistics, Statistics]]:
        """Return the statistics of J and F of every object."""
        return [
            (score_statistics(region), score_statistics(contour))
            for region, contour in zip(self.region, self.contour, strict=True)
        ]


def score_sequence(pred: Iterable[Array], gt: Iterable[Array], *, skip_gaps: bool = False) -> SequenceScores:
    """Score a sequence frame by frame, so that it need not be in memory as a whole.

    The objects are those of the first true frame. As in the official evaluation, the first frame is given and the last
    frame is not scored.

    Args:
        pred: Predicted ids of every frame, ``(H, W)`` each.
        gt: True ids of every frame, ``(H, W)`` each; 255 is void.
        skip_gaps: Whether the objects are exactly the ids of the first true frame. Otherwise, as in the official
            evaluation, they are all ids up to the largest, and one that is in neither mask has perfect scores.

    Raises:
        ValueError: If there are fewer than three frames, the numbers of frames differ, no object is in the first frame,
            or a prediction has another object.
    """
    region, contour, before, ids = [], [], None, tuple[int, ...]()
    first, late = set[int](), dict[int, int]()
    table = np.zeros(256, np.uint8)  # place of each id among the objects, from 1
    for number, (ours, theirs) in enumerate(zip(pred, gt, strict=True)):
        present = set(mask_ids(theirs)) - {0, VOID}
        if number == 0:
            first = present
            if not first:
                raise ValueError('there is no object in the first frame of the ground truth')
            ids = tuple(sorted(first)) if skip_gaps else tuple(range(1, max(first) + 1))
            table[list(ids)] = np.arange(1, len(ids) + 1)
        late |= dict.fromkeys(present - first - late.keys(), number)
        if extra := set(mask_ids(ours)) - {0, *ids}:
            raise ValueError(f'frame {number} has an object {max(extra)}, but the sequence has {_list_ids(ids)}')
        if before is not None:
            region.append(region_similarity(*before, len(ids)))
            contour.append(contour_accuracy(*before, len(ids)))
        before = (_renumber(ours, table), _renumber(theirs, table)) if number else None
    if len(region) < 1:
        raise ValueError('a sequence needs at least three frames, as the first and the last one are not scored')
    absent = tuple(number for number in ids if number not in first)
    return SequenceScores(np.stack(region, axis=1), np.stack(contour, axis=1), ids, absent, late)


def _renumber(mask: Array, table: Array) -> Array:
    # indexing takes seven times as long
    renumbered: Array = cv2.LUT(mask, table) if mask.dtype == np.uint8 else table[mask]
    return renumbered


def _list_ids(ids: Sequence[int]) -> str:
    return str(len(ids)) if ids[-1] == len(ids) else f'only {list(ids)}'


def summarize(statistics: Sequence[tuple[Statistics, Statistics]]) -> dict[str, float]:
    """Average over the objects of all sequences, as fractions: J&F, then mean, recall and decay of J and of F."""
    j, f = (np.array([pair[side] for pair in statistics], np.float64).mean(axis=0) for side in (0, 1))
    names = ('mean', 'recall', 'decay')
    return {
        'J&F': float((j[0] + f[0]) / 2),
        **{f'J_{name}': float(value) for name, value in zip(names, j, strict=True)},
        **{f'F_{name}': float(value) for name, value in zip(names, f, strict=True)},
    }
