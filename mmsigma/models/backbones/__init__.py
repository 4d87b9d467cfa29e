"""Encoders of clips and of frames, which algorithms take as backbones."""

from mmsigma.models.backbones.colour import ColourEncoder
from mmsigma.models.backbones.frame_features import encode_frames
from mmsigma.models.backbones.mast_encoder import MASTEncoder
from mmsigma.models.backbones.resnet import ResNetEncoder
from mmsigma.models.backbones.resnet_v2 import ResNet50V2Encoder
from mmsigma.models.backbones.timm_encoder import TimmEncoder
from mmsigma.models.backbones.video_vit import VideoVisionTransformer

__all__ = [
    'ColourEncoder',
    'MASTEncoder',
    'ResNet50V2Encoder',
    'ResNetEncoder',
    'TimmEncoder',
    'VideoVisionTransformer',
    'encode_frames',
]
