"""Metrics and evaluation protocols; importing this package registers the metrics."""

from mmsigma.evaluation.accuracy import AccuracyMetric
from mmsigma.evaluation.alignment import AlignmentMetric
from mmsigma.evaluation.average_precision import MultiLabelMAP
from mmsigma.evaluation.counting import CountingErrorMetric
from mmsigma.evaluation.pck_metric import PCKMetric
from mmsigma.evaluation.unsupervised_segmentation import UnsupervisedSegmentationMetric
from mmsigma.evaluation.vip_metric import VIPMetric
from mmsigma.evaluation.vos_metric import VOSMetric

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
