"""Errors of repetition counting (UCFRep; SEVERE)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from numpy.typing import ArrayLike

from mmsigma.registry import METRICS


def counting_error(pred: ArrayLike, true: ArrayLike) -> dict[str, float]:
    """Compute the mean counting error and related measures, as SEVERE reports them for UCFRep.

    Args:
        pred: Predicted counts ``(N,)``.
        true: True counts ``(N,)``, all positive.

    Returns:
        ``MAE``, the mean of |pred - true| / true, which the tables report; ``MAE_std``, its standard deviation over
        videos; ``OBO``, the fraction of videos whose count is off by at most one; ``MAE_over`` and ``MAE_under``, the
        mean errors of videos counted too high and too low, 0 if there are none. All are fractions.

    Raises:
        ValueError: If there is no video, the numbers of counts differ, or a true count is not positive.
    """
    pred, true = np.asarray(pred, np.float64), np.asarray(true, np.float64)
    if pred.shape != true.shape or pred.ndim != 1 or not len(pred):
        raise ValueError(f'one predicted and one true count per video are required, got {pred.shape} and {true.shape}')
    if (true <= 0).any():
        raise ValueError(f'true counts must be positive, got {true.min():g}; leave out videos without repetitions')
    error = np.abs(pred - true) / true
    return {
        'MAE': float(error.mean()),
        'MAE_std': float(error.std()),
        'OBO': float((np.abs(pred - true) <= 1).mean()),
        'MAE_over': _mean(error[pred > true]),
        'MAE_under': _mean(error[pred < true]),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


@METRICS.register_module()
class CountingErrorMetric(BaseMetric):
    """Errors of counting, see :func:`counting_error`; reads ``pred_count`` and ``gt_count`` of the samples."""

    default_prefix = 'counting'

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the counts of a batch.

        Raises:
            ValueError: If a sample has no true count.
        """
        for sample in data_samples:
            if 'gt_count' not in sample:
                name = sample.get('filename', 'a video')
                raise ValueError(f'{name} has no gt_count: end the test pipeline with PackRepetitionInputs')
            self.results.append((float(sample['pred_count']), float(sample['gt_count'])))

    def compute_metrics(self, results: list[tuple[float, float]]) -> dict[str, float]:
        """Compute the errors over all videos, including those of other ranks."""
        pred, true = zip(*results, strict=True)
        return {**counting_error(pred, true), 'num_videos': float(len(pred))}
