"""Scores of semantic segmentation: confusion matrix, IoU and accuracies (VIP)."""

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class ConfusionScores(NamedTuple):
    """Scores as fractions.

    Attributes:
        iou: Intersection over union of every category, ``(C,)``; nan for categories that neither prediction nor
            annotation contains.
        mean_iou: Mean over the categories that are predicted or annotated.
        pixel_accuracy: Fraction of pixels that are correct.
        mean_accuracy: Mean over the annotated categories of the fraction of their pixels that is correct.
    """

    iou: Array
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float


def confusion_matrix(pred: Array, gt: Array, num_classes: int) -> Array:
    """Count pixels by annotated and predicted category.

    Args:
        pred: Predicted categories, ``(H, W)``, below ``num_classes``.
        gt: Annotated categories, ``(H, W)``; pixels with ``num_classes`` or more are not counted.
        num_classes: Number of categories C, including the background.

    Returns:
        Counts ``(C, C)``, int64; rows are annotated, columns are predicted categories.

    Raises:
        ValueError: If shapes differ, or a predicted category is out of range.
    """
    if pred.shape != gt.shape:
        raise ValueError(f'the prediction has the shape {pred.shape}, the annotation {gt.shape}; both must be (H, W)')
    if pred.max(initial=0) >= num_classes:
        raise ValueError(f'category {pred.max()} is predicted, but categories are 0 to {num_classes - 1}')
    counted = gt < num_classes
    joint = gt[counted].astype(np.int64) * num_classes + pred[counted]
    return np.bincount(joint, minlength=num_classes**2).reshape(num_classes, num_classes)


def confusion_scores(confusion: Array) -> ConfusionScores:
    """Compute IoU and accuracies from a confusion matrix ``(C, C)`` with annotated categories as rows.

    Raises:
        ValueError: If no pixel was counted.
    """
    right, annotated, total = confusion.diagonal(), confusion.sum(axis=1), confusion.sum()
    if not total:
        raise ValueError('no pixel has a category')
    union = annotated + confusion.sum(axis=0) - right
    iou, accuracy = _ratio(right, union), _ratio(right, annotated)
    return ConfusionScores(iou, float(np.nanmean(iou)), float(right.sum() / total), float(np.nanmean(accuracy)))


def _ratio(part: Array, whole: Array) -> Array:
    """Return ``part / whole``, nan where ``whole`` is 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
