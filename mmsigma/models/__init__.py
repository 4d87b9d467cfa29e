"""Networks; an import registers them all."""

from mmsigma import compat  # noqa: F401  before anything imports timm
from mmsigma.models.algorithms import SIGMA
from mmsigma.models.backbones import VideoVisionTransformer
from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.models.heads import PrototypeHead, RegressionHead
from mmsigma.models.losses import FeatureMSELoss, SwappedAssignmentLoss
from mmsigma.models.necks import MaskedVideoDecoder
from mmsigma.models.targets import FrozenEncoderTarget, MLPTarget, PixelTarget

__all__ = [
    'SIGMA',
    'FeatureMSELoss',
    'FrozenEncoderTarget',
    'MLPTarget',
    'MaskedVideoDecoder',
    'PixelTarget',
    'PrototypeHead',
    'RegressionHead',
    'SwappedAssignmentLoss',
    'VideoDataPreprocessor',
    'VideoVisionTransformer',
]
