"""Inferencers for programs, and the code that the command-line tools share."""

from mmsigma.apis.alignment import AlignmentInferencer
from mmsigma.apis.feature_extractor import FeatureExtractor
from mmsigma.apis.unsupervised_segmenter import UnsupervisedSegmenter
from mmsigma.apis.vos import VOSInferencer

__all__ = ['AlignmentInferencer', 'FeatureExtractor', 'UnsupervisedSegmenter', 'VOSInferencer']
