from mmsigma.models.algorithms.dino import DINO
from mmsigma.models.algorithms.feature_clustering import FeatureClustering
from mmsigma.models.algorithms.gta import GTA
from mmsigma.models.algorithms.keypoint_propagation import KeypointPropagation
from mmsigma.models.algorithms.label_propagation import LabelPropagation
from mmsigma.models.algorithms.mask_vos import MaskVOS
from mmsigma.models.algorithms.repetition_counter import RepetitionCounter
from mmsigma.models.algorithms.sigma import SIGMA
from mmsigma.models.algorithms.video_classifier import VideoClassifier

__all__ = [
    'DINO',
    'GTA',
    'SIGMA',
    'FeatureClustering',
    'KeypointPropagation',
    'LabelPropagation',
    'MaskVOS',
    'RepetitionCounter',
    'VideoClassifier',
]
