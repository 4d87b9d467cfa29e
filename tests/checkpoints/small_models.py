"""Small models with names of other code bases."""

import pytest
import torch
from torch import Tensor, nn

from mmsigma.registry import MODELS

DIMS, DEPTH, HEADS, CLASSES, TOKENS = 32, 2, 2, 5, 32
DIMS, DEPTH, HEADS, CLASSES, TOKENS = 32, 2, 2, 5, 32
DIMS, DEPTH, HEADS, CLASSES, TOKENS = 32, 2, 2, 5, 32
DIMS, DEPTH, HEADS, CLASSES, TOKENS = 32, 2, 2, 5, 32
DIMS, DEPTH, HEADS, CLASSES, TOKENS = 32, 2, 2, 5, 32
SIZES = dict(img_size=32, num_frames=4, patch_size=8)
ARCH = dict(embed_dims=DIMS, depth=DEPTH, num_heads=HEADS)


def shake(model: nn.Module) -> nn.Module:
    """Make every parameter count: norms, biases and classifiers start from constants or nearly zero."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model.eval()


def classifier() -> nn.Module:
    backbone = dict(type='VideoVisionTransformer', arch=ARCH, final_norm=False, **SIZES)
    head = dict(type='ClassificationHead', num_classes=CLASSES)
    return MODELS.build(dict(type='VideoClassifier', backbone=backbone, head=head)).eval()


def pretraining() -> nn.Module:
    """VideoMAE: SIGMA's algorithm with pixels as targets."""
    return MODELS.build(
        dict(
            type='SIGMA',
            backbone=dict(type='VideoVisionTransformer', arch=ARCH, **SIZES),
            neck=dict(type='MaskedVideoDecoder', embed_dims=16, depth=1, num_heads=2),
            target=dict(type='PixelTarget', patch_size=8),
            head=dict(type='RegressionHead'),
        )
    ).eval()


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype and torch.equal(value, other[name]), name


def huggingface(kind: str, **settings) -> nn.Module:
    transformers = pytest.importorskip('transformers')
    config = transformers.VideoMAEConfig(
        image_size=32,
        patch_size=8,
        num_frames=4,
        hidden_size=DIMS,
        num_hidden_layers=DEPTH,
        num_attention_heads=HEADS,
        intermediate_size=4 * DIMS,
        decoder_hidden_size=16,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=64,
        layer_norm_eps=1e-6,
        num_labels=CLASSES,
        **settings,
    )
    model = shake(getattr(transformers, kind)(config))
    # transformers gives these two norms torch's epsilon, the release its own
    for norm in (getattr(model, 'fc_norm', None), getattr(getattr(model, 'decoder', None), 'norm', None)):
        if norm is not None:
            norm.eps = 1e-6
    return model
