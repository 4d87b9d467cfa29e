"""Inferencers for programs, and the code that the command-line tools share."""

from mmsigma.apis.cluster_segmenter import ClusterSegmenter
from mmsigma.apis.feature_extractor import FeatureExtractor
from mmsigma.apis.keypoint_tracker import KeypointTracker
from mmsigma.apis.models import list_configs, load_model
from mmsigma.apis.repetition_counter import RepetitionCounter
from mmsigma.apis.video_aligner import VideoAligner
from mmsigma.apis.video_classifier import VideoClassifier
from mmsigma.apis.video_segmenter import VideoSegmenter

__all__ = [
    'ClusterSegmenter',
    'FeatureExtractor',
    'KeypointTracker',
    'RepetitionCounter',
    'VideoAligner',
    'VideoClassifier',
    'VideoSegmenter',
    'list_configs',
    'load_model',
]
