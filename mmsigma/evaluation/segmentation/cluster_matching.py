"""Scores of unsupervised segmentation, in which clusters are first matched to classes (TimeTuning; SIGMA)."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from mmsigma.ops.dense_clustering import Level

Array = np.ndarray
Matching = Literal['hungarian', 'precision', 'iou', 'none']
MATCHINGS: tuple[Matching, ...] = ('hungarian', 'precision', 'iou', 'none')


class MatchedScores(NamedTuple):
    """Scores of one unit: a frame, a clip or a dataset.

    Attributes:
        iou: Intersection over union of every class, ``(C,)``, as a fraction.
        classes: Ids of the classes, ``(C,)``, increasing.
        true_positive: Number of true positive pixels per class, ``(C,)``.
        false_positive: Number of false positive pixels per class, ``(C,)``.
        false_negative: Number of false negative pixels per class, ``(C,)``.
        relabelled: Prediction with class ids, in its own shape.
    """

    iou: Array
    classes: Array
    true_positive: Array
    false_positive: Array
    false_negative: Array
    relabelled: Array

    @property
    def miou(self) -> float:
        """Mean IoU over classes, including the background."""
        return float(self.iou.mean()) if len(self.iou) else 0.0

    @property
    def miou_without_background(self) -> float:
        """Mean IoU over classes other than 0; 0 if there is none."""
        objects = self.iou[self.classes != 0]
        return float(objects.mean()) if len(objects) else 0.0


def match_clusters(
    pred: Array,
    gt: Array,
    matching: Matching = 'hungarian',
    *,
    num_clusters: int | None = None,
    num_classes: int | None = None,
    ignore: int | None = None,
) -> MatchedScores:
    """Match the clusters of a unit to classes, and score them.

    ``'hungarian'`` pairs clusters and classes one to one such that the sum of IoU is largest; clusters left over become
    class 0. ``'precision'`` assigns each cluster the class of most of its pixels, ``'iou'`` the class with the largest
    IoU; the lowest class wins ties, and several clusters may share a class. ``'none'`` takes clusters as classes.

    Args:
        pred: Cluster of every pixel, of any shape.
        gt: Class of every pixel, of the same shape.
        matching: One of ``MATCHINGS``.
        num_clusters: Number of clusters 0 .. num_clusters - 1, whether or not they occur; None for those that occur.
        num_classes: Number of classes 0 .. num_classes - 1, of which absent ones count as 0; None for those that occur.
        ignore: Class whose pixels are left out (only at the dataset level in the original); None for none.

    Returns:
        Scores of the unit.

    Raises:
        ValueError: If shapes differ, or ``matching`` is unknown.
    """
    if pred.shape != gt.shape:
        raise ValueError(f'the prediction has the shape {pred.shape}, the ground truth {gt.shape}')
    if matching not in MATCHINGS:
        raise ValueError(f'matching must be one of {MATCHINGS}, got {matching!r}')
    clusters = np.unique(pred) if num_clusters is None else np.arange(num_clusters)
    kept = slice(None) if ignore is None else gt != ignore
    scored_pred, scored_gt = pred[kept].ravel(), gt[kept].ravel()
    classes = np.unique(scored_gt) if num_classes is None else np.arange(num_classes)
    overlap = _joint_histogram(scored_gt, classes, scored_pred, clusters)
    names = clusters if matching == 'none' else classes_of_clusters(overlap, classes, matching)
    chosen = names[:, None] == classes  # (P, C), True where cluster p was named class c
    tp = (overlap * chosen.T).sum(axis=1)
    fp = (overlap.sum(axis=0) @ chosen) - tp
    fn = overlap.sum(axis=1) - tp
    iou = tp / np.maximum(tp + fp + fn, 1e-8)
    relabelled = names[np.searchsorted(clusters, pred)]
    return MatchedScores(iou, classes, tp, fp, fn, relabelled)


def classes_of_clusters(overlap: Array, classes: Array, matching: Matching) -> Array:
    """Return the class of every cluster, ``(P,)``.

    Args:
        overlap: Number of pixels that each class shares with each cluster, ``(C, P)``.
        classes: Ids of the classes, ``(C,)``.
        matching: One of ``MATCHINGS`` except for ``'none'``.
    """
    sizes_gt, sizes_pred = overlap.sum(axis=1, keepdims=True), overlap.sum(axis=0, keepdims=True)
    iou = overlap / np.maximum(sizes_gt + sizes_pred - overlap, 1e-8)
    if matching == 'hungarian':
        from scipy.optimize import linear_sum_assignment  # takes long to import

        rows, columns = linear_sum_assignment(1 - iou)
        names = np.zeros(overlap.shape[1], classes.dtype)
        names[columns] = classes[rows]
        return names
    scores = iou if matching == 'iou' else overlap / np.maximum(sizes_pred, 1e-8)
    best: Array = classes[scores.argmax(axis=0)]
    return best


def _joint_histogram(gt: Array, classes: Array, pred: Array, clusters: Array) -> Array:
    """Count the pixels that each class shares with each cluster, ``(C, P)``."""
    joint = np.searchsorted(classes, gt) * len(clusters) + np.searchsorted(clusters, pred)
    return np.bincount(joint, minlength=len(classes) * len(clusters)).reshape(len(classes), len(clusters))


def clustering_miou(
    pred: Sequence[Array],
    gt: Sequence[Array],
    matching: Matching = 'hungarian',
    level: Level = 'clip',
    *,
    ignore: int | None = None,
) -> float:
    """Compute the mean IoU of the cluster maps of clips, as a fraction.

    Every unit has the same weight, whatever its batch (the original averages batches first).

    Args:
        pred: Cluster maps of every clip, ``(T, H, W)`` each.
        gt: Classes of every clip, ``(T, H, W)`` each.
        matching: One of ``MATCHINGS``.
        level: Unit that is matched and averaged: ``'frame'``, ``'clip'`` or ``'dataset'``.
        ignore: Class to leave out at the dataset level; None for none.

    Raises:
        ValueError: If ``level`` or ``matching`` is unknown, or shapes differ.
    """
    if level == 'dataset':
        everything, truth = (np.concatenate([clip.ravel() for clip in side]) for side in (pred, gt))
        return match_clusters(everything, truth, matching, ignore=ignore).miou
    if level not in ('frame', 'clip'):
        raise ValueError(f"level must be 'frame', 'clip' or 'dataset', got {level!r}")
    scores = []
    for maps, truths in zip(pred, gt, strict=True):
        units = [(maps, truths)] if level == 'clip' else list(zip(maps, truths, strict=True))
        scores += [match_clusters(ours, theirs, matching).miou for ours, theirs in units]
    return float(np.mean(scores))


def background_floor(gt: Sequence[Array]) -> float:
    """Compute the mean IoU of calling every pixel background, the baseline of any score."""
    return float(np.mean([match_clusters(np.zeros_like(clip), clip, 'none').miou for clip in gt]))
