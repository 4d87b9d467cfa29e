"""Encoders of frames: parity with the releases' networks, any size, and weights that stay what they were."""

import pytest
import timm
import torch
import torch.nn.functional as F

from mmsigma.models import ColourEncoder, LabelPropagation, ResNetEncoder, TimmViTEncoder, VideoVisionTransformer
from mmsigma.models.backbones import encode_frames
from tests.golden_mask_vos import assert_probes, fill, load_vectors

TINY_VIT = dict(embed_dim=24, depth=2, num_heads=2)


@pytest.mark.parametrize('depth', [18, 50])
@torch.no_grad()
def test_stride_eight_resnets_are_the_originals(depth: int) -> None:
    vectors = load_vectors(f'encoder_resnet{depth}_s8')
    encoder = ResNetEncoder(depth, out_stage=4 if depth == 18 else 3)
    fill(encoder, vectors.entry['weight_tag'], 'backbone.')
    stages = encoder.stages(vectors.tensor('in_image')[None])
    if depth == 18:
        assert_probes(vectors, 'out_layer4', stages[3])
        torch.testing.assert_close(stages[1], vectors.tensor('out_layer2'), rtol=2e-3, atol=1e-4)
    else:
        assert stages[2].shape[1] == encoder.embed_dims == 1024
    assert_probes(vectors, 'out_layer3', stages[2]) if 'out_layer3_shape' in vectors.arrays else None


@torch.no_grad()
def test_reflected_borders_are_those_of_crw() -> None:
    vectors = load_vectors('encoder_crw')
    encoder = fill(
        ResNetEncoder(18, out_stage=3, padding_mode='reflect'), vectors.entry['weight_tag'], 'encoder.model.'
    )
    maps = F.normalize(encoder(vectors.tensor('in_image')[:, :, 0]), dim=1)
    torch.testing.assert_close(maps, vectors.tensor('out_layer3_map_l2')[:, :, 0], rtol=2e-3, atol=1e-5)


@torch.no_grad()
def test_vision_transformer_takes_any_size() -> None:
    torch.manual_seed(0)
    encoder = TimmViTEncoder('vit_small_patch16_224.dino', 'random', TINY_VIT).eval()
    assert encoder.stride == 16
    images = torch.randn(2, 3, 224, 224)
    plain = timm.create_model('vit_small_patch16_224.dino', num_classes=0, **TINY_VIT).eval()
    plain.load_state_dict(encoder.shield.encoder.state_dict())
    expected = plain.forward_features(images)[:, 1:].transpose(1, 2).unflatten(-1, (14, 14))
    torch.testing.assert_close(encoder(images), expected)
    assert encoder(torch.randn(1, 3, 96, 160)).shape == (1, 24, 6, 10)
    # other sizes in between leave no trace
    torch.testing.assert_close(encoder(images), expected)


def test_mmengine_does_not_initialise_what_was_loaded() -> None:
    model = LabelPropagation(dict(type='TimmViTEncoder', weights='random', model_kwargs=TINY_VIT))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.init_weights()
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())


@torch.no_grad()
def test_video_transformer_sees_a_still_clip() -> None:
    settings = dict(arch=dict(embed_dims=24, depth=1, num_heads=2), img_size=32, num_frames=8, patch_size=8)
    backbone = VideoVisionTransformer(**settings, dynamic_size=True).eval()
    single = VideoVisionTransformer(**{**settings, 'num_frames': 2}).eval()
    single.load_state_dict(backbone.state_dict())
    images = torch.randn(2, 3, 32, 32)
    expected = single(images[:, :, None].expand(-1, -1, 2, -1, -1)).transpose(1, 2).unflatten(-1, (4, 4))
    torch.testing.assert_close(encode_frames(backbone, images), expected)
    assert encode_frames(backbone, torch.randn(1, 3, 48, 80)).shape == (1, 24, 6, 10)


def test_video_transformer_of_one_size_says_so() -> None:
    backbone = VideoVisionTransformer(dict(embed_dims=24, depth=1, num_heads=2), img_size=32, patch_size=8)
    with pytest.raises(ValueError, match=r'built for clips of .* = \(3, 16, 32, 32\), got \(3, 2, 48, 32\)'):
        encode_frames(backbone, torch.randn(1, 3, 48, 32))


def test_colours() -> None:
    images = torch.zeros(1, 3, 8, 16)
    images[..., 8:] = 1
    means = ColourEncoder(8)(images)
    assert means.shape == (1, 3, 1, 2)
    torch.testing.assert_close(means[0, 0, 0], torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)
    # the squared distance of cells is the mean over their parts
    parts = ColourEncoder(8, parts=4)(images)
    assert parts.shape == (1, 48, 1, 2)
    distance = (parts[..., 0] - parts[..., 1]).square().sum()
    torch.testing.assert_close(distance, (means[..., 0] - means[..., 1]).square().sum())
    with pytest.raises(ValueError, match='no 3 x 3 equal parts'):
        ColourEncoder(8, parts=3)


def test_unknown_network() -> None:
    with pytest.raises(ValueError, match='depth must be 18 or 50'):
        ResNetEncoder(34)
