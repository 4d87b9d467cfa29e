"""Parts of the package satisfy their protocols, and so do parts of your own."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmsigma.models import LabelPropagation, interfaces
from mmsigma.models.interfaces import sees_clips
from mmsigma.models.parts import build_part, members
from mmsigma.registry import MODELS

VIDEO = dict(type='VideoVisionTransformer', arch=dict(embed_dims=16, depth=1, num_heads=2), img_size=32, num_frames=4)
RESNET = dict(type='ResNetEncoder', depth=18)
GTA_HEADS = ('AlignmentHead', 'OrderHead', 'SpeedHead', dict(type='TranscriptHead', num_labels=3))
GTA_LOSSES = ('GTALoss', 'D2TWLoss', 'TCCLoss', 'TCNLoss', 'D3TWStarLoss', 'SoftDTWLoss', 'LAVLoss')


def of(config: str | dict[str, Any]) -> dict[str, Any]:
    return dict(type=config) if isinstance(config, str) else dict(config)


@pytest.mark.parametrize(
    ('config', 'interface'),
    [
        (VIDEO, interfaces.VideoEncoder),
        (VIDEO, interfaces.FrameEncoder),
        (RESNET, interfaces.FrameEncoder),
        ('MASTEncoder', interfaces.FrameEncoder),
        ('ColourEncoder', interfaces.FrameEncoder),
        ('ResNet50V2Encoder', interfaces.FrameEncoder),
        (dict(type='TimmEncoder', model_name='vit_tiny_patch16_224', weights='random'), interfaces.FrameEncoder),
        ('PixelTarget', interfaces.Target),
        (dict(type='MLPTarget', hidden_channels=[8]), interfaces.Target),
        (dict(type='PrototypeHead', in_channels=8, num_prototypes=4), interfaces.PredictionHead),
        ('RegressionHead', interfaces.PredictionHead),
        (dict(type='ClassificationHead', in_channels=8, num_classes=2), interfaces.ClassifierHead),
        (dict(type='KeyEncoder', depth=18), interfaces.PatchKeyEncoder),
        (dict(type='ViTKeyEncoder', encoder={**VIDEO, 'dynamic_size': True}), interfaces.VisualEncoder),
        ('MASTKeyEncoder', interfaces.LabKeyEncoder),
        ('MASTKeyEncoder', interfaces.FineKeyEncoder),
        ('FrameMaskEncoder', interfaces.MaskEncoder),
        ('MaskDecoder', interfaces.ObjectDecoder),
        ('ShortLongCorrespondence', interfaces.Correspondence),
        ('AnchorCorrespondence', interfaces.Correspondence),
        ('PhotometricCorrespondence', interfaces.Correspondence),
        ('RandomWalkCorrespondence', interfaces.Correspondence),
        ('ContextPropagator', interfaces.Propagator),
        ('MASTPropagator', interfaces.Propagator),
        (dict(type='ContextEmbedder', in_channels=8), interfaces.ContextNeck),
        *((head, interfaces.GroupHead) for head in GTA_HEADS),
        *((loss, interfaces.AlignmentLoss) for loss in GTA_LOSSES),
    ],
    ids=str,
)
def test_parts_of_the_package(config: str | dict[str, Any], interface: type) -> None:
    part = build_part(of(config), interface, 'model.part')
    assert all(hasattr(part, name) for name in members(interface))


def test_encoders_of_clips_are_told_by_their_tubes() -> None:
    assert sees_clips(MODELS.build(VIDEO)) and not sees_clips(MODELS.build(RESNET))


def test_an_encoder_of_your_own_is_enough() -> None:
    @MODELS.register_module(force=True)
    class OwnEncoder(nn.Module):
        embed_dims, stride = 3, 8

        def forward(self, images: Tensor) -> Tensor:
            return images[..., ::8, ::8]

    model = LabelPropagation(dict(type='OwnEncoder'))
    assert model(torch.zeros(2, 3, 16, 24)).shape == (2, 3, 2, 3)
