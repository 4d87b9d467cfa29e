"""Networks; an import registers them all."""

from mmsigma import compat  # noqa: F401  before anything imports timm
from mmsigma.models.algorithms import (
    DINO,
    GTA,
    SIGMA,
    FeatureClustering,
    KeypointPropagation,
    LabelPropagation,
    MaskVOS,
    RepetitionCounter,
    VideoClassifier,
)
from mmsigma.models.alignment_preprocessor import AlignmentPreprocessor
from mmsigma.models.backbones import (
    ColourEncoder,
    MASTEncoder,
    ResNet50V2Encoder,
    ResNetEncoder,
    TimmViTEncoder,
    VideoVisionTransformer,
)
from mmsigma.models.clip_views_preprocessor import ClipViewsPreprocessor
from mmsigma.models.correspondence_schemes import AnchorCorrespondence, ShortLongCorrespondence
from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.models.heads import (
    AlignmentHead,
    AttentiveHead,
    ClassificationHead,
    CombinedHead,
    CountingHead,
    OrderHead,
    PrototypeHead,
    RegressionHead,
    SpeedHead,
    TranscriptHead,
)
from mmsigma.models.inner_steps import InnerStepsDistributedDataParallel
from mmsigma.models.key_encoders import MASTKeyEncoder, ViTKeyEncoder
from mmsigma.models.losses import (
    D2TWLoss,
    D3TWStarLoss,
    FeatureMSELoss,
    GTALoss,
    LAVLoss,
    SoftDTWLoss,
    SwappedAssignmentLoss,
    TCCLoss,
    TCNLoss,
)
from mmsigma.models.mask_networks import FrameMaskEncoder, KeyEncoder, MaskDecoder
from mmsigma.models.memory_propagator import MemoryPropagator
from mmsigma.models.necks import ContextEmbedder, MaskedVideoDecoder
from mmsigma.models.photometric_scheme import PhotometricCorrespondence
from mmsigma.models.propagator import LabelPropagator
from mmsigma.models.ragged_preprocessor import RaggedVideoPreprocessor
from mmsigma.models.random_walk_scheme import RandomWalkCorrespondence
from mmsigma.models.targets import FrozenEncoderTarget, MLPTarget, PixelTarget

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
    'GTALoss',
    'InnerStepsDistributedDataParallel',
    'KeyEncoder',
    'KeypointPropagation',
    'LAVLoss',
    'LabelPropagation',
    'LabelPropagator',
    'MASTEncoder',
    'MASTKeyEncoder',
    'MLPTarget',
    'MaskDecoder',
    'MaskVOS',
    'MaskedVideoDecoder',
    'MemoryPropagator',
    'OrderHead',
    'PhotometricCorrespondence',
    'PixelTarget',
    'PrototypeHead',
    'RaggedVideoPreprocessor',
    'RandomWalkCorrespondence',
    'RegressionHead',
    'RepetitionCounter',
    'ResNet50V2Encoder',
    'ResNetEncoder',
    'ShortLongCorrespondence',
    'SoftDTWLoss',
    'SpeedHead',
    'SwappedAssignmentLoss',
    'TCCLoss',
    'TCNLoss',
    'TimmViTEncoder',
    'TranscriptHead',
    'ViTKeyEncoder',
    'VideoClassifier',
    'VideoDataPreprocessor',
    'VideoVisionTransformer',
]
