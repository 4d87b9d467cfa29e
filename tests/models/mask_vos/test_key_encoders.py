"""Vision transformers as the visual encoder of Mask-VOS."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.models import (
    MaskVOS,
    MASTKeyEncoder,
)
from mmsigma.models.clip_views import ClipViews
from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS

SMALL = dict(embed_dim=48, depth=2, num_heads=2)
TIMM = dict(
    type='TimmEncoder',
    model_name='vit_small_patch8_224.dino',
    weights='random',
    model_kwargs=dict(img_size=32, **SMALL),
)
VIDEO = dict(
    type='VideoVisionTransformer',
    arch=dict(embed_dims=48, depth=2, num_heads=2),
    img_size=64,
    num_frames=4,
    dynamic_size=True,
)
ENCODERS = dict(timm=TIMM, video=VIDEO)


def model(name: str, **options) -> MaskVOS:
    torch.manual_seed(0)
    parts = dict(mask_encoder=dict(type='FrameMaskEncoder', fused=False), decoder=dict(type='MaskDecoder'))
    backbone = dict(type='ViTKeyEncoder', encoder=ENCODERS[name], key_dims=16)
    return MODELS.build(dict(type='MaskVOS', backbone=backbone, **parts, **options))


@pytest.mark.parametrize('name', ENCODERS)
@torch.no_grad()
def test_shapes(name: str) -> None:
    encoder = model(name).backbone.eval()
    images = torch.randn(2, 3, 40, 56)
    key, features, skip8, skip4 = encoder.encode(images)
    assert (key.shape, features.shape) == ((2, 16, 5, 7), (2, 512, 5, 7))
    assert (skip8.shape, skip4.shape) == ((2, 512, 5, 7), (2, 256, 10, 14))
    torch.testing.assert_close(key, encoder(images))
    torch.testing.assert_close(key.norm(dim=1), torch.ones(2, 5, 7))


CNN = dict(type='TimmEncoder', model_name='resnet18', weights='random', stage=3)


@torch.no_grad()
def test_skips_of_a_convolutional_network_are_its_own_maps() -> None:
    encoder = MODELS.build(dict(type='ViTKeyEncoder', encoder=CNN, key_dims=16, own_skips=True, width=32)).eval()
    encoder.skip8 = encoder.skip4 = torch.nn.Identity()
    images = torch.randn(2, 3, 40, 56)  # 3 x 4 cells of 16 pixels, of which 2.5 x 3.5 are image
    key, features, skip8, skip4 = encoder.encode(images)
    assert (key.shape, features.shape) == ((2, 16, 5, 7), (2, 32, 5, 7))
    network = encoder.backbone.shield.encoder
    stem = network.maxpool(network.act1(network.bn1(network.conv1(F.pad(images, (0, 8, 0, 8))))))
    fine = network.layer1(stem)
    torch.testing.assert_close(skip4, fine[..., :10, :14])
    torch.testing.assert_close(skip8, network.layer2(fine)[..., :5, :7])
    torch.testing.assert_close(key, encoder(images))


@pytest.mark.parametrize('encoder', [TIMM, VIDEO, {**CNN, 'stage': 2}], ids=['timm', 'video', 'stride 8'])
def test_skips_need_finer_maps(encoder: dict) -> None:
    with pytest.raises(ValueError, match='own_skips needs an encoder with maps of strides 4 and 8'):
        MODELS.build(dict(type='ViTKeyEncoder', encoder=encoder, own_skips=True))


@torch.no_grad()
def test_cells_are_between_larger_patches() -> None:
    """What a patch of 16 holds is in the middle of its four cells, and changes evenly from one to the next."""
    encoder = model('video').backbone.eval()
    encoder.reduce = torch.nn.Identity()
    encoder.backbone.forward = lambda video: torch.arange(6.0).view(1, 6, 1).expand(len(video), -1, 48)
    maps = encoder.features(torch.zeros(1, 3, 32, 40))[0, 0]  # 2 x 3 patches, of which 2.5 are image
    assert maps.shape == (4, 5)
    assert maps[0].tolist() == pytest.approx([0, 0.25, 0.75, 1.25, 1.75])


@pytest.mark.parametrize('name', ENCODERS)
def test_joint_loss_trains_everything(name: str) -> None:
    network = model(name, correspondence=dict(type='ShortLongCorrespondence'))
    images, views = torch.randn(2, 1, 3, 3, 32, 32)
    back = torch.eye(3)[None, :2]
    sample = type('Sample', (), dict(pseudo_mask=torch.randint(0, 3, (3, 32, 32))))
    losses = network.loss(ClipViews(images, views, back), [sample])
    assert set(losses) == {'loss_short', 'loss_long', 'loss_segmentation', 'labelled_clips'}
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    idle = [key for key, value in network.named_parameters() if value.requires_grad and value.grad is None]

    assert idle == []


@pytest.mark.parametrize('name', ENCODERS)
def test_segments_a_video(name: str) -> None:
    network = model(name, memory=dict(num_context=2, radius=3, num_rounds=1)).eval()
    segmenter = network.new_inference_core()
    frames = torch.randint(0, 256, (4, 44, 60, 3), dtype=torch.uint8).numpy()
    mask = torch.zeros(44, 60, dtype=torch.uint8).numpy()
    mask[8:30, 10:40] = 5
    masks = [segmenter.step(frame, mask if number == 0 else None) for number, frame in enumerate(frames)]
    assert all(found.shape == (44, 60) and set(found.ravel().tolist()) <= {0, 5} for found in masks)
    assert (masks[0] == mask).all()


def test_size_of_patches() -> None:
    encoder = dict(TIMM, model_name='vit_small_patch14_dinov2', model_kwargs=dict(img_size=28, **SMALL))
    with pytest.raises(ValueError, match='patches of 14 pixels do not make cells of 8'):
        MODELS.build(dict(type='ViTKeyEncoder', encoder=encoder))


def test_weights_that_cannot_be_fetched(monkeypatch) -> None:
    def fails(*args, **kwargs):
        raise CheckpointError('no network: --cfg-options model.backbone.weights=/path/to/file.pth')

    monkeypatch.setattr('mmsigma.models.backbones.timm_encoder.create_timm_network', fails)
    with pytest.raises(CheckpointError, match='--cfg-options model.backbone.encoder.weights=/path/to/file.pth'):
        model('timm')


def test_positions_are_trained_and_kept_at_their_own_size() -> None:
    encoder = MODELS.build(TIMM)
    before = {name: value.shape for name, value in encoder.state_dict().items()}
    encoder(torch.randn(1, 3, 48, 40)).sum().backward()
    assert encoder.shield.encoder.pos_embed.grad.any()
    assert {name: value.shape for name, value in encoder.state_dict().items()} == before


@torch.no_grad()
def test_keys_of_mast() -> None:
    torch.manual_seed(0)
    encoder = MASTKeyEncoder().eval()
    pictures = torch.rand(2, 3, 32, 48)
    images = (pictures * 255 - torch.tensor([123.675, 116.28, 103.53]).view(-1, 1, 1)) / torch.tensor(
        [58.395, 57.12, 57.375]
    ).view(-1, 1, 1)
    torch.testing.assert_close(encoder.lab(images), rgb_to_lab(pictures), rtol=1e-3, atol=1e-4)
    key, features, skip8, skip4 = encoder.encode(images)
    torch.testing.assert_close(key, encoder(images))
    torch.testing.assert_close(key, F.normalize(F.avg_pool2d(encoder.backbone(pictures), 2)), rtol=1e-3, atol=1e-4)
    assert (key.shape, features.shape) == ((2, 64, 4, 6), (2, 512, 4, 6))
    assert (skip8.shape, skip4.shape) == ((2, 512, 4, 6), (2, 256, 8, 12))


@torch.no_grad()
def test_finer_keys_of_mast() -> None:
    """Features before they are averaged over 2 x 2 cells, each of unit length."""
    torch.manual_seed(0)
    encoder, images = MASTKeyEncoder().eval(), torch.randn(2, 3, 32, 48)
    fine = encoder.fine_keys(images)
    assert fine.shape == (2, 64, 32 // encoder.fine_stride, 48 // encoder.fine_stride)
    torch.testing.assert_close(fine.norm(dim=1), torch.ones(2, 8, 12))
    features = encoder.colour_features(encoder.lab(images))
    averaged = F.avg_pool2d(fine * features.norm(dim=1, keepdim=True), 2)
    torch.testing.assert_close(F.normalize(averaged, dim=1), encoder(images))
