"""Percentage of correct key-points (PCK), as CRW computes it on JHMDB."""

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def joint_errors(pred: Array, gt: Array, box_share: float = 0.6) -> Array:
    """Compute the distances of predicted joints in units of the person's size.

    The unit is ``box_share`` times the diagonal of the tight box around the true joints whose prediction is not lost.
    The first frame is given, and therefore left out.

    Args:
        pred: Predicted (x, y) in pixels, ``(T, J, 2)``; joints with a negative x are lost.
        gt: True (x, y) in pixels, ``(T, J, 2)``.
        box_share: Size of the person relative to the diagonal of the box.

    Returns:
        Errors ``(T - 1, J)``, float64; nan for lost joints, which do not count.

    Raises:
        ValueError: If shapes differ or are not ``(T, J, 2)``.
    """
    if pred.shape != gt.shape or pred.ndim != 3 or pred.shape[-1] != 2:
        raise ValueError(f'joints are predicted as {pred.shape} and annotated as {gt.shape}, expected (T, J, 2) twice')
    pred, gt = pred[1:].astype(np.float64), gt[1:].astype(np.float64)
    found = pred[..., 0] >= 0
    low = np.where(found[..., None], gt, np.inf).min(axis=1)
    high = np.where(found[..., None], gt, -np.inf).max(axis=1)
    distance = np.linalg.norm(pred - gt, axis=-1)
    with np.errstate(divide='ignore', invalid='ignore'):  # the box of one joint has size 0, that of none is inf
        return np.where(found, distance / (box_share * np.linalg.norm(high - low, axis=-1))[:, None], np.nan)


def pck(errors: Array, thresholds: Sequence[float]) -> Array:
    """Compute the fraction of joints within each threshold.

    Args:
        errors: Errors from :func:`joint_errors`, ``(N, J)``, of any number of frames and videos.
        thresholds: Thresholds ``(A,)``, in units of the person's size.

    Returns:
        Fractions ``(A, J)``; nan for a joint that was never found.
    """
    counted = (~np.isnan(errors)).sum(axis=0)
    right = np.stack([(errors <= threshold).sum(axis=0) for threshold in thresholds])
    return np.where(counted > 0, right / np.maximum(counted, 1), np.nan)
