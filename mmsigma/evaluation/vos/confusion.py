"""Scores of dense classification: confusion of categories, IoU and accuracies (VIP)."""

from typing import NamedTuple

import numpy as np

Array = np.ndarray


class PartScores(NamedTuple):
    """Fractions; nan for categories that are nowhere.

    Attributes:
        iou: Intersection over union of every category, (C,).
        mean_iou: Mean over the categories that are predicted or annotated.
        pixel_accuracy: Share of pixels that are right.
        mean_accuracy: Mean over the annotated categories of the share of their pixels that are right.
    """

    iou: Array
    mean_iou: float
    pixel_accuracy: float
    mean_accuracy: float


def confusion_matrix(pred: Array, gt: Array, num_classes: int) -> Array:
    """Count pixels by annotated and predicted category.

    Args:
        pred: Predicted categories (H, W), below ``num_classes``.
        gt: Annotated categories (H, W); pixels where they are ``num_classes`` or more are left out.
        num_classes: Number of categories C, background included.

    Returns:
        (C, C), int64; rows are the annotation.

    Raises:
        ValueError: If shapes differ, or a category is predicted that there is not.
    """
    if pred.shape != gt.shape:
        raise ValueError(f'the prediction is {pred.shape}, the annotation {gt.shape} (H, W)')
    if pred.max(initial=0) >= num_classes:
        raise ValueError(f'category {pred.max()} is predicted, but there are 0 to {num_classes - 1}')
    counted = gt < num_classes
    joint = gt[counted].astype(np.int64) * num_classes + pred[counted]
    return np.bincount(joint, minlength=num_classes**2).reshape(num_classes, num_classes)


def part_scores(confusion: Array) -> PartScores:
    """IoU and accuracies of a confusion matrix (C, C), rows annotated.

    Raises:
        ValueError: If no pixel was counted.
    """
    right, annotated, total = confusion.diagonal(), confusion.sum(axis=1), confusion.sum()
    if not total:
        raise ValueError('no pixel has a category')
    union = annotated + confusion.sum(axis=0) - right
    iou, accuracy = _ratio(right, union), _ratio(right, annotated)
    return PartScores(iou, float(np.nanmean(iou)), float(right.sum() / total), float(np.nanmean(accuracy)))


def _ratio(part: Array, whole: Array) -> Array:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
