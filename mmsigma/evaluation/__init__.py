"""Metrics and evaluation protocols; an import registers the metrics."""

from mmsigma.evaluation.accuracy import AccuracyMetric
from mmsigma.evaluation.average_precision import MultiLabelMAP
from mmsigma.evaluation.counting import CountingErrorMetric

__all__ = ['AccuracyMetric', 'CountingErrorMetric', 'MultiLabelMAP']
