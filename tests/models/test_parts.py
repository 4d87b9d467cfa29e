"""Parts are checked against their protocols when a model is built."""

import pytest
from torch import Tensor, nn

from mmsigma.models import GTA, SIGMA, LabelPropagation, MaskVOS, VideoClassificationModel, interfaces
from mmsigma.models.parts import PartError, members, require
from mmsigma.registry import MODELS

VIDEO = dict(type='VideoVisionTransformer', arch=dict(embed_dims=16, depth=1, num_heads=2), img_size=32, num_frames=4)
RESNET = dict(type='ResNetEncoder', depth=18)


@MODELS.register_module()
class NakedEncoder(nn.Module):
    """Maps, as a user writes them, and nothing else."""

    def forward(self, images: Tensor) -> Tensor:
        return images[..., ::8, ::8]


def test_members_are_those_of_all_bases() -> None:
    found = members(interfaces.PatchKeyEncoder)
    assert {'parameters', 'stride', 'embed_dims', '__call__', 'encode', 'pooled_keys'} <= set(found)
    assert found.index('parameters') < found.index('stride') < found.index('encode') < found.index('pooled_keys')
    assert members(interfaces.Propagator) == ['step']


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
        (VideoClassificationModel, dict(backbone=dict(type='NakedEncoder')), "NakedEncoder has no 'embed_dims'"),
        (
            VideoClassificationModel,
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
    with pytest.raises(PartError, match='x: NoModule is not an nn.Module, as FrameEncoder has to be'):
        require(NoModule(), interfaces.FrameEncoder, 'x')
