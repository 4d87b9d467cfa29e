"""Models and their parts; importing this package registers them all."""

from mmsigma import compat  # noqa: F401  has to come before anything that imports timm
from mmsigma.models.backbones import (
    ColourEncoder,
    MASTEncoder,
    ResNet50V2Encoder,
    ResNetEncoder,
    TimmEncoder,
    VideoVisionTransformer,
)
from mmsigma.models.classification.attentive_head import AttentiveHead
from mmsigma.models.classification.classification_head import ClassificationHead
from mmsigma.models.classification.video_classifier import VideoClassificationModel
from mmsigma.models.clustering.feature_clustering import FeatureClustering
from mmsigma.models.counting.counting_head import CountingHead
from mmsigma.models.counting.inner_steps import InnerStepsDistributedDataParallel
from mmsigma.models.counting.ragged_preprocessor import RaggedVideoPreprocessor
from mmsigma.models.counting.repetition_counter import RepetitionCountingModel
from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.models.dino.dino import DINO
from mmsigma.models.gta.alignment_head import AlignmentHead, CombinedHead
from mmsigma.models.gta.alignment_preprocessor import AlignmentPreprocessor
from mmsigma.models.gta.context_embedder import ContextEmbedder
from mmsigma.models.gta.gta import GTA
from mmsigma.models.gta.losses.d3tw import D3TWStarLoss
from mmsigma.models.gta.losses.gta import D2TWLoss, GTALoss
from mmsigma.models.gta.losses.lav import LAVLoss, SoftDTWLoss
from mmsigma.models.gta.losses.tcc import TCCLoss
from mmsigma.models.gta.losses.tcn import TCNLoss
from mmsigma.models.gta.order_head import OrderHead, SpeedHead
from mmsigma.models.gta.transcript_head import TranscriptHead
from mmsigma.models.mask_vos.clip_views_preprocessor import ClipViewsPreprocessor
from mmsigma.models.mask_vos.correspondence.anchors import AnchorCorrespondence
from mmsigma.models.mask_vos.correspondence.crw import RandomWalkCorrespondence
from mmsigma.models.mask_vos.correspondence.mast import PhotometricCorrespondence
from mmsigma.models.mask_vos.correspondence.short_long import ShortLongCorrespondence
from mmsigma.models.mask_vos.key_encoders import MASTKeyEncoder, ViTKeyEncoder
from mmsigma.models.mask_vos.mask_vos import MaskVOS
from mmsigma.models.mask_vos.networks import FrameMaskEncoder, KeyEncoder, MaskDecoder
from mmsigma.models.propagation.context_propagator import ContextPropagator
from mmsigma.models.propagation.keypoint_propagation import KeypointPropagation
from mmsigma.models.propagation.label_propagation import LabelPropagation
from mmsigma.models.propagation.mast_propagator import MASTPropagator
from mmsigma.models.sigma.masked_decoder import MaskedVideoDecoder
from mmsigma.models.sigma.motion_guided_preprocessor import MotionGuidedPreprocessor
from mmsigma.models.sigma.prototype_head import PrototypeHead
from mmsigma.models.sigma.reconstruction import FeatureMSELoss
from mmsigma.models.sigma.regression_head import RegressionHead
from mmsigma.models.sigma.sigma import SIGMA
from mmsigma.models.sigma.swapped_assignment import SwappedAssignmentLoss
from mmsigma.models.sigma.targets import FrozenEncoderTarget, MLPTarget, PixelTarget, StoredTarget

__all__ = [
    'DINO',
    'AlignmentPreprocessor',
    'GTA',
    'SIGMA',
    'AlignmentHead',
    'AnchorCorrespondence',
    'AttentiveHead',
    'ClassificationHead',
    'ClipViewsPreprocessor',
    'ColourEncoder',
    'CombinedHead',
    'ContextEmbedder',
    'CountingHead',
    'D2TWLoss',
    'D3TWStarLoss',
    'FeatureClustering',
    'FeatureMSELoss',
    'FrameMaskEncoder',
    'FrozenEncoderTarget',
    'StoredTarget',
    'GTALoss',
    'InnerStepsDistributedDataParallel',
    'KeyEncoder',
    'KeypointPropagation',
    'LAVLoss',
    'LabelPropagation',
    'ContextPropagator',
    'MASTEncoder',
    'MASTKeyEncoder',
    'MLPTarget',
    'MaskDecoder',
    'MaskVOS',
    'MaskedVideoDecoder',
    'MASTPropagator',
    'OrderHead',
    'PhotometricCorrespondence',
    'PixelTarget',
    'MotionGuidedPreprocessor',
    'PrototypeHead',
    'RaggedVideoPreprocessor',
    'RandomWalkCorrespondence',
    'RegressionHead',
    'RepetitionCountingModel',
    'ResNet50V2Encoder',
    'ResNetEncoder',
    'ShortLongCorrespondence',
    'SoftDTWLoss',
    'SpeedHead',
    'SwappedAssignmentLoss',
    'TCCLoss',
    'TCNLoss',
    'TimmEncoder',
    'TranscriptHead',
    'ViTKeyEncoder',
    'VideoClassificationModel',
    'VideoDataPreprocessor',
    'VideoVisionTransformer',
]
