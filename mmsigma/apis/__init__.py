"""Entry points for programs and tools."""

from mmsigma.apis.cluster_segmenter import UnsupervisedSegmenter
from mmsigma.apis.feature_extractor import FeatureExtractor
from mmsigma.apis.video_aligner import AlignmentInferencer
from mmsigma.apis.video_segmenter import VOSInferencer

__all__ = ['AlignmentInferencer', 'FeatureExtractor', 'UnsupervisedSegmenter', 'VOSInferencer']
