"""Mean average precision of multi-label classification."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmsigma.registry import METRICS


def average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    """Compute the average precision of every class: the sum over distinct scores of (R_n - R_(n-1)) P_n.

    Equal scores form one threshold, so the result does not depend on the order of the videos. This is the definition of
    scikit-learn, SlowFast and SEVERE.

    Args:
        scores: Scores ``(N, C)``, higher for likelier classes.
        labels: Labels ``(N, C)``, 1 or True where the class is present.

    Returns:
        Average precision ``(C,)``, float64, from 0 to 1; nan for a class without positives.

    Raises:
        ValueError: If the shapes differ or a score is nan.
    """
    if scores.shape != labels.shape or scores.ndim != 2:
        raise ValueError(f'scores and labels must both be (N, C), got {tuple(scores.shape)} and {tuple(labels.shape)}')
    if scores.isnan().any():
        raise ValueError('a score is nan: the model has diverged')
    if not len(scores):
        return torch.full((scores.shape[1],), torch.nan, dtype=torch.float64)
    scores, order = scores.double().sort(dim=0, descending=True)
    found = labels.gather(0, order).double().cumsum(dim=0)
    precision = found / torch.arange(1, len(scores) + 1).to(found)[:, None]
    recall = found / found[-1]
    ends = torch.ones_like(scores, dtype=torch.bool)  # only the last entry of each run of equal scores is a threshold
    ends[:-1] = scores[1:] != scores[:-1]
    # recall at the previous threshold: the largest one before, as recall never decreases
    reached = torch.where(ends, recall, 0.0).cummax(dim=0).values.roll(1, dims=0)
    reached[0] = 0.0
    return torch.where(ends, (recall - reached) * precision, 0.0).sum(dim=0)


def mean_average_precision(scores: Tensor, labels: Tensor) -> float:
    """Average :func:`average_precision` over the classes with positives.

    Raises:
        ValueError: If no class has positives.
    """
    per_class = average_precision(scores, labels)
    present = ~per_class.isnan()
    if not present.any():
        raise ValueError('mean average precision is undefined: no video has a label')
    return float(per_class[present].mean())


@METRICS.register_module()
class MultiLabelMAP(BaseMetric):
    """Mean average precision in percent, over the classes that occur (Charades).

    Reads ``pred_score`` ``(C,)`` and the multi-hot ``gt_label`` ``(C,)`` of the samples. Reports ``mAP`` and
    ``num_classes_present``.
    """

    default_prefix = 'multi_label'

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict[str, Any]]) -> None:
        """Collect the scores and labels of a batch.

        Raises:
            ValueError: If a label is not multi-hot over the classes of the scores.
        """
        for sample in data_samples:
            scores, label = sample['pred_score'].detach().cpu(), sample['gt_label'].cpu()
            if scores.shape != label.shape:
                raise ValueError(
                    f'{sample.get("filename", "a video")}: gt_label {tuple(label.shape)} is not multi-hot over the '
                    f'{tuple(scores.shape)} classes of pred_score; use a multi-label dataset such as CharadesDataset'
                )
            self.results.append((scores.float(), label.bool()))

    def compute_metrics(self, results: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Compute mAP over all videos, including those of other ranks."""
        scores, labels = (torch.stack(column) for column in zip(*results, strict=True))
        present = int(labels.any(dim=0).sum())
        return {'mAP': 100 * mean_average_precision(scores, labels), 'num_classes_present': float(present)}
