"""Parts of models satisfy their protocols, and one that does not is reported when the model is built."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmsigma.models import GTA, SIGMA, LabelPropagation, MaskVOS, VideoClassifier, interfaces
from mmsigma.models.interfaces import PartError, build_part, members, require, sees_clips
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
        (dict(type='TimmViTEncoder', model_name='vit_tiny_patch16_224', weights='random'), interfaces.FrameEncoder),
        ('PixelTarget', interfaces.Target),
        (dict(type='MLPTarget', hidden_channels=[8]), interfaces.Target),
        (dict(type='PrototypeHead', in_channels=8, num_prototypes=4), interfaces.PredictionHead),
        ('RegressionHead', interfaces.PredictionHead),
        (dict(type='ClassificationHead', in_channels=8, num_classes=2), interfaces.ClassifierHead),
        (dict(type='KeyEncoder', depth=18), interfaces.PatchKeyEncoder),
        (dict(type='ViTKeyEncoder', encoder={**VIDEO, 'dynamic_size': True}), interfaces.VisualEncoder),
        ('MASTKeyEncoder', interfaces.LabKeyEncoder),
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


def test_members_are_those_of_all_bases() -> None:
    found = members(interfaces.PatchKeyEncoder)
    assert {'parameters', 'stride', 'embed_dims', '__call__', 'encode', 'pooled_keys'} <= set(found)
    assert found.index('parameters') < found.index('stride') < found.index('encode') < found.index('pooled_keys')
    assert members(interfaces.Propagator) == ['step']


@MODELS.register_module()
class NakedEncoder(nn.Module):
    """Maps, as a user writes them, and nothing else."""

    def forward(self, images: Tensor) -> Tensor:
        return images[..., ::8, ::8]


class NoModule:
    def step(self, features: Tensor) -> Tensor:
        return features


@pytest.mark.parametrize(
    ('model', 'config', 'message'),
    [
        (
            MaskVOS,
            dict(backbone=dict(type='NakedEncoder')),
            "model.backbone: NakedEncoder has no 'embed_dims', 'stride'",
        ),
        (MaskVOS, dict(backbone=RESNET), "model.backbone: ResNetEncoder has no 'encode', which VisualEncoder of"),
        (LabelPropagation, dict(backbone=dict(type='NakedEncoder')), "NakedEncoder has no 'embed_dims', 'stride'"),
        (
            LabelPropagation,
            dict(backbone=RESNET, propagator=dict(type='NakedEncoder')),
            "model.propagator: NakedEncoder has no 'step', which Propagator of",
        ),
        (VideoClassifier, dict(backbone=dict(type='NakedEncoder')), "NakedEncoder has no 'embed_dims'"),
        (
            VideoClassifier,
            dict(backbone=VIDEO, head=dict(type='RegressionHead')),
            "model.head: RegressionHead has no 'num_classes', 'scores'",
        ),
        (
            SIGMA,
            dict(backbone=RESNET, neck={}, target=dict(type='PixelTarget'), head=dict(type='RegressionHead')),
            "model.backbone: ResNetEncoder has no 'grid', 'tubelet_size', 'patch_size', which VideoEncoder",
        ),
        (
            SIGMA,
            dict(backbone=VIDEO, neck={}, target=dict(type='NakedEncoder'), head=dict(type='RegressionHead')),
            "model.target: NakedEncoder has no 'out_channels', which Target",
        ),
        (
            GTA,
            dict(backbone=RESNET, head=dict(type='AlignmentHead', loss=dict(type='NakedEncoder'))),
            "model.head.loss: NakedEncoder has no 'interleaved', which AlignmentLoss",
        ),
        (
            GTA,
            dict(backbone=RESNET, head=dict(type='CombinedHead', heads=[dict(type='NakedEncoder')], weights=[1])),
            "model.head.heads.0: NakedEncoder has no 'interleaved', 'loss', which GroupHead",
        ),
    ],
)
def test_a_part_that_lacks_something_is_found_at_construction(model: type, config: dict, message: str) -> None:
    with pytest.raises(PartError, match=message):
        model(**config)


def test_the_message_says_where_to_read_on() -> None:
    with pytest.raises(
        PartError, match=r'which VisualEncoder of mmsigma.models.interfaces asks for.*docs/interfaces.md'
    ):
        require(nn.Identity(), interfaces.VisualEncoder, 'model.backbone')
    assert require(NoModule(), interfaces.Propagator, 'x')
    with pytest.raises(PartError, match="x: NoModule has no 'training', 'parameters'"):
        require(NoModule(), interfaces.FrameEncoder, 'x')


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
