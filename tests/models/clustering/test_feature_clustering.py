"""Clusters of dense features of clip and frame encoders."""

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmsigma.models import FeatureClustering
from mmsigma.registry import MODELS

TINY = dict(type='VideoVisionTransformer', arch=dict(embed_dims=24, depth=1, num_heads=2), img_size=32, patch_size=8)


@MODELS.register_module()
class AveragedColours(nn.Module):
    """An encoder of frames: mean colours of squares."""

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(images, 8)


def build(backbone: dict, **clustering) -> FeatureClustering:
    settings = dict(num_clusters=('gt', 3), seeds=(0, 1), size=8, num_components=4, num_restarts=1)
    return MODELS.build(dict(type='FeatureClustering', backbone=backbone, clustering={**settings, **clustering})).eval()


def sample(frames: int = 4, ids: tuple[int, ...] = (0, 1)) -> BaseDataElement:
    masks = torch.tensor(ids, dtype=torch.uint8).repeat(64)[:64].view(8, 8).expand(frames, 8, 8)
    element = BaseDataElement(metainfo=dict(video_name='v', frame_inds=list(range(frames))))
    element.set_data({'gt_masks': masks})
    return element


def test_maps_of_a_clip_encoder_stand_for_two_frames_each():
    model = build({**TINY, 'num_frames': 4})
    clips = torch.randn(2, 3, 4, 32, 32)
    maps = model(clips)
    assert maps.shape == (2, 2, 4, 4, 24) and not maps.requires_grad
    torch.testing.assert_close(maps[1, 1, 2, 3], model.backbone(clips)[1, 16 + 2 * 4 + 3])
    first, second = model(clips, [sample(), sample(ids=(0, 4, 9))], mode='predict')
    assert {*first.pred_masks} == {'gt', 3} and first.pred_masks[3].dtype == torch.uint8
    for masks in (first.pred_masks['gt'], second.pred_masks[3]):
        assert masks.shape == (2, 4, 8, 8)
        assert torch.equal(masks[:, ::2], masks[:, 1::2])
    assert [len(s.pred_masks['gt'][0].unique()) for s in (first, second)] == [2, 3]


@pytest.mark.parametrize('frames_per_forward', [None, 3])
def test_maps_of_a_frame_encoder_stand_for_one_frame(frames_per_forward):
    model = build(dict(type='AveragedColours'))
    model.frames_per_forward = frames_per_forward
    clips = torch.randn(2, 3, 5, 32, 32)
    maps = model(clips)
    assert maps.shape == (2, 5, 4, 4, 3)
    torch.testing.assert_close(maps[1, 3, 2, 1], clips[1, :, 3, 16:24, 8:16].mean(dim=(1, 2)))
    (result, _) = model(clips, [sample(5), sample(5)], mode='predict')
    assert result.pred_masks['gt'].shape == (2, 5, 8, 8)


def test_a_moving_square_is_found():
    clip, masks = torch.zeros(1, 3, 4, 32, 32), torch.zeros(4, 8, 8, dtype=torch.uint8)
    for time in range(4):
        clip[:, :, time, 8:24, 8 * time : 8 * time + 8] = 1.0
        masks[time] = clip[0, 0, time, ::4, ::4]
    model = build(dict(type='AveragedColours'), num_components=None, size=4)
    element = BaseDataElement()
    element.set_data({'gt_masks': masks[:, ::2, ::2]})
    (result,) = model(clip, [element], mode='predict')
    for found in result.pred_masks['gt']:
        assert torch.equal(found, masks[:, ::2, ::2]) or torch.equal(1 - found, masks[:, ::2, ::2])


def test_four_frames_need_the_first_rows_of_the_table():
    short, long = (build({**TINY, 'num_frames': frames}).backbone for frames in (4, 16))
    assert torch.equal(short.pos_embed, long.pos_embed[:, : short.pos_embed.shape[1]])
    short.load_state_dict(long.state_dict())
    assert short.pos_embed.shape[1] == 2 * 4 * 4


def test_features_for_the_dataset_level():
    model = build({**TINY, 'num_frames': 4}, level='dataset')
    clips = torch.randn(1, 3, 4, 32, 32)
    (result,) = model(clips, [sample()], mode='predict')
    assert 'pred_masks' not in result and result.dense_maps.dtype == torch.float16
    torch.testing.assert_close(result.dense_maps, model(clips)[0].half())
    large = build(dict(type='AveragedColours'), level='dataset')
    (result,) = large(clips * 1e6, [sample()], mode='predict')
    assert result.dense_maps.dtype == torch.float32


def test_nothing_is_trained_or_changed():
    model = build({**TINY, 'num_frames': 4})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(1, 3, 4, 32, 32), [sample()], mode='predict')
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_bad_input():
    model = build({**TINY, 'num_frames': 4})
    clips = torch.randn(1, 3, 4, 32, 32)
    with pytest.raises(ValueError, match="mode must be 'predict' or 'tensor'"):
        model(clips, mode='loss')
    with pytest.raises(ValueError, match='pass truths as well'):
        model(clips, [BaseDataElement()], mode='predict')
    with pytest.raises(ValueError, match='tokens are not finite'):
        model(clips * torch.nan, [sample()], mode='predict')
    with pytest.raises(ValueError, match='level must be one of'):
        build(TINY, level='video')
    pooling = build(dict(type='AveragedColours'))
    pooling.backbone = nn.Sequential(pooling.backbone, nn.Flatten())
    with pytest.raises(ValueError, match='an encoder of frames gives maps'):
        pooling(clips)
