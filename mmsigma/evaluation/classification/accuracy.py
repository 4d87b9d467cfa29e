"""Top-k and mean class accuracy of single-label classification."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmsigma.registry import METRICS


def topk_correct(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return whether the label is among the ``k`` largest scores.

    Args:
        scores: Scores ``(N, C)``.
        labels: Labels ``(N,)``, int64.
        k: Number of scores; more than C stand for all.

    Returns:
        Bool ``(N,)``.
    """
    k = min(k, scores.shape[1])
    return (scores.topk(k, dim=1).indices == labels[:, None]).any(dim=1)


def mean_class_accuracy(correct: Tensor, labels: Tensor, num_classes: int) -> float:
    """Average over classes the accuracy on the samples of each class (SEVERE; FX-S1 and UB-S1).

    Classes without samples count as 0, so the mean is always over the same number. SIGMA's own script averages
    something else: its entry for class c is the accuracy over all samples with a label up to c.

    Args:
        correct: Whether each sample is classified correctly, ``(N,)``, bool.
        labels: Labels ``(N,)``, int64.
        num_classes: Number of classes C.

    Returns:
        Mean class accuracy as a fraction.

    Raises:
        ValueError: If a label is not below ``num_classes``.
    """
    if len(labels) and int(labels.max()) >= num_classes:
        raise ValueError(f'label {int(labels.max())} does not fit {num_classes} classes: labels count from 0')
    counts = torch.bincount(labels, minlength=num_classes)
    hits = torch.bincount(labels, weights=correct.double(), minlength=num_classes)
    return float((hits / counts.clamp(min=1)).mean())


@METRICS.register_module()
class AccuracyMetric(BaseMetric):
    """Top-k accuracy and mean class accuracy of videos, in percent.

    Reads ``pred_score`` ``(C,)`` and ``gt_label`` of the samples; reports ``top{k}`` for every ``k`` and
    ``mean_class``.

    Args:
        topk: Values of k to report.
        collect_device: Device on which results of several ranks are collected.
        prefix: Prefix of the metric names.
    """

    default_prefix = 'acc'

    def __init__(self, topk: Sequence[int] = (1, 5), collect_device: str = 'cpu', prefix: str | None = None) -> None:
        super().__init__(collect_device, prefix)
        self.topk = tuple(topk)

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Compare the predictions of a batch with the labels.

        Raises:
            ValueError: If a sample has no label, or a score is nan.
        """
        for sample in data_samples:
            if 'gt_label' not in sample:
                raise ValueError(
                    f'{sample.get("filename", "a video")} has no label: accuracy requires a list with labels'
                )
            scores, label = sample['pred_score'][None].cpu(), sample['gt_label'].cpu()
            if scores.isnan().any():  # nan would count as the largest score
                raise ValueError(f'{sample.get("filename", "a video")} has a nan score: the model has diverged')
            hits = [bool(topk_correct(scores, label, k)) for k in self.topk]
            self.results.append((int(label), scores.shape[1], bool(topk_correct(scores, label, 1)), hits))

    def compute_metrics(self, results: list[tuple[Any, ...]]) -> dict[str, float]:
        """Compute percentages over all videos, including those of other ranks."""
        labels, widths, first, hits = zip(*results, strict=True)
        shares = torch.tensor(hits, dtype=torch.float64).mean(dim=0)
        metrics = {f'top{k}': 100 * float(share) for k, share in zip(self.topk, shares, strict=True)}
        metrics['mean_class'] = 100 * mean_class_accuracy(torch.tensor(first), torch.tensor(labels), widths[0])
        return metrics
