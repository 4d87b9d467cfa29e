"""Frames through video transformers: clips in which nothing moves."""

import pytest
import torch

from mmsigma.models import VideoVisionTransformer
from mmsigma.models.backbones import encode_frames


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
