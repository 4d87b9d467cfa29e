"""Metrics and evaluation protocols; importing this package registers the metrics."""

from mmsigma.evaluation.alignment.alignment_metric import AlignmentMetric
from mmsigma.evaluation.classification.accuracy import AccuracyMetric
from mmsigma.evaluation.classification.average_precision import MultiLabelMAP
from mmsigma.evaluation.counting.counting_error import CountingErrorMetric
from mmsigma.evaluation.segmentation.unsupervised_segmentation_metric import (
    UnsupervisedSegmentationMetric,
)
from mmsigma.evaluation.vos.pck_metric import PCKMetric
from mmsigma.evaluation.vos.vip_metric import VIPMetric
from mmsigma.evaluation.vos.vos_metric import VOSMetric

__all__ = [
    'AccuracyMetric',
    'AlignmentMetric',
    'CountingErrorMetric',
    'MultiLabelMAP',
    'PCKMetric',
    'UnsupervisedSegmentationMetric',
    'VIPMetric',
    'VOSMetric',
]
