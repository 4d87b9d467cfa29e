"""What of a file of another code base reaches a model."""

import pytest
import torch
from torch import Tensor, nn

from mmsigma.checkpoints.io import load_into_model
from mmsigma.checkpoints.key_mapping import from_our_names, to_our_names
from mmsigma.registry import MODELS

DIMS, DEPTH, HEADS, CLASSES, TOKENS = 32, 2, 2, 5, 32
SIZES = dict(img_size=32, num_frames=4, patch_size=8)
ARCH = dict(embed_dims=DIMS, depth=DEPTH, num_heads=HEADS)


def classifier() -> nn.Module:
    backbone = dict(type='VideoVisionTransformer', arch=ARCH, final_norm=False, **SIZES)
    head = dict(type='ClassificationHead', num_classes=CLASSES)
    return MODELS.build(dict(type='VideoClassifier', backbone=backbone, head=head)).eval()


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype and torch.equal(value, other[name]), name


def test_parameters_without_counterpart(golden) -> None:
    state = to_our_names(golden('pretrain_mlp').tensors('sd/'))
    for origin in ('hf', 'mmaction2'):
        with pytest.raises(KeyError, match=r'head\.prototypes\.0|neck\.mask_token'):
            from_our_names(state, origin)


def test_what_of_a_pretraining_file_reaches_the_classifier(golden) -> None:
    keys = golden('pretrain_to_finetune_keys').arrays
    state = golden('pretrain_mlp').tensors('sd/')
    assert state.keys() == set(keys['pretrain_keys'])
    model = classifier()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    load_into_model(model, state, origin='golden')
    after = from_our_names(model.state_dict(), 'official')
    assert after.keys() == set(keys['finetune_keys'])
    assert_same_bits({name: after[name] for name in keys['loaded']}, {n: state[f'encoder.{n}'] for n in keys['loaded']})
    untouched = from_our_names(before, 'official')
    assert_same_bits(
        {name: after[name] for name in keys['missing_in_checkpoint']},
        {name: untouched[name] for name in keys['missing_in_checkpoint']},
    )
