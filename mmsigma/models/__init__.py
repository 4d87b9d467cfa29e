"""Networks; an import registers them all."""

from mmsigma import compat  # noqa: F401  before anything imports timm
from mmsigma.models.algorithms import (
    SIGMA,
    FeatureClustering,
    KeypointPropagation,
    LabelPropagation,
    RepetitionCounter,
    VideoClassifier,
)
from mmsigma.models.backbones import ColourEncoder, MASTEncoder, ResNetEncoder, TimmViTEncoder, VideoVisionTransformer
from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.models.heads import AttentiveHead, ClassificationHead, CountingHead, PrototypeHead, RegressionHead
from mmsigma.models.inner_steps import InnerStepsDistributedDataParallel
from mmsigma.models.losses import FeatureMSELoss, SwappedAssignmentLoss
from mmsigma.models.memory_propagator import MemoryPropagator
from mmsigma.models.necks import MaskedVideoDecoder
from mmsigma.models.propagator import LabelPropagator
from mmsigma.models.ragged_preprocessor import RaggedVideoPreprocessor
from mmsigma.models.targets import FrozenEncoderTarget, MLPTarget, PixelTarget

__all__ = [
    'SIGMA',
    'AttentiveHead',
    'ClassificationHead',
    'ColourEncoder',
    'CountingHead',
    'FeatureMSELoss',
    'FrozenEncoderTarget',
    'InnerStepsDistributedDataParallel',
    'KeypointPropagation',
    'LabelPropagation',
    'LabelPropagator',
    'MASTEncoder',
    'MLPTarget',
    'MaskedVideoDecoder',
    'MemoryPropagator',
    'PixelTarget',
    'PrototypeHead',
    'RaggedVideoPreprocessor',
    'RegressionHead',
    'RepetitionCounter',
    'ResNetEncoder',
    'SwappedAssignmentLoss',
    'TimmViTEncoder',
    'FeatureClustering',
    'VideoClassifier',
    'VideoDataPreprocessor',
    'VideoVisionTransformer',
]
