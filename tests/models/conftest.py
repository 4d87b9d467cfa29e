"""Tiny models."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mmsigma.ops import TokenSplit, split_tokens
from mmsigma.registry import MODELS

TARGETS = {
    'mlp': dict(type='MLPTarget', hidden_channels=(20, 20, 16), out_channels=12, patch_size=8),
    'pixel': dict(type='PixelTarget', patch_size=8),
    'dino': dict(
        type='FrozenEncoderTarget',
        weights='random',
        img_size=32,
        grid=(4, 4),
        model_kwargs=dict(embed_dim=24, depth=1, num_heads=2, patch_size=8),
    ),
}


def build_sigma(target: str | dict, **head) -> nn.Module:
    """A tiny SIGMA with a target by name or config; further arguments are those of the head."""
    if 'type' not in head:
        default = dict(type='RegressionHead') if target == 'pixel' else dict(type='PrototypeHead', num_prototypes=10)
        head = {**default, **head}
    arch = dict(embed_dims=24, depth=2, num_heads=2)
    backbone = dict(type='VideoVisionTransformer', arch=arch, img_size=32, num_frames=4, patch_size=8)
    neck = dict(type='MaskedVideoDecoder', embed_dims=12, depth=2, num_heads=2)
    target = TARGETS[target] if isinstance(target, str) else target
    return MODELS.build(dict(type='SIGMA', backbone=backbone, neck=neck, target=target, head=head))


@pytest.fixture
def build_tiny() -> Callable[..., nn.Module]:
    """Builds a tiny SIGMA, see :func:`build_sigma`."""
    return build_sigma


@pytest.fixture
def tiny_batch() -> tuple[Tensor, TokenSplit]:
    """Two clips for the models of ``build_tiny``, and their tokens: 8 visible and 24 masked, each its own."""
    mask = torch.stack([torch.randperm(32) < 24 for _ in range(2)])
    return torch.randn(2, 3, 4, 32, 32), split_tokens(mask)
