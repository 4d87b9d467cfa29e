"""Metrics and evaluation protocols."""

from mmsigma.evaluation.average_precision import MultiLabelMAP
from mmsigma.evaluation.counting import CountingErrorMetric

__all__ = ['CountingErrorMetric', 'MultiLabelMAP']
