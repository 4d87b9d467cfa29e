"""mmaction2's VideoMAE: the same features and logits from its files, and back."""

import importlib.util
from pathlib import Path

import mmaction
import pytest
import torch
from torch import Tensor, nn

from mmsigma.checkpoints.io import load_into_model
from mmsigma.checkpoints.key_mapping import from_our_names, origin_of, to_our_names
from mmsigma.checkpoints.official_names import check_complete
from tests.checkpoints.small_models import (
    ARCH,
    CLASSES,
    DIMS,
    SIZES,
    TOKENS,
    assert_same_bits,
    classifier,
    shake,
)


@pytest.fixture(scope='module')
def mmaction2() -> nn.Module:
    """mmaction2's recogniser, short of its loss: the wheel can import the file of the transformer, not its package."""
    path = Path(mmaction.__file__).parent / 'models' / 'backbones' / 'vit_mae.py'
    spec = importlib.util.spec_from_file_location('vit_mae_alone', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = nn.Module()
    model.backbone = module.VisionTransformer(**ARCH, **SIZES)
    model.cls_head = nn.Module()
    model.cls_head.fc_cls = nn.Linear(DIMS, CLASSES)
    return shake(model)


def test_mmaction2(mmaction2: nn.Module, clips: Tensor) -> None:
    ours, state = classifier(), mmaction2.state_dict()
    assert origin_of(state) == 'mmaction2'
    load_into_model(ours, state, origin='mmaction2', allow_missing=False)
    with torch.no_grad():
        expected = mmaction2.cls_head.fc_cls(mmaction2.backbone(clips))
        torch.testing.assert_close(ours(clips), expected, atol=1e-5, rtol=1e-5)
    converted = to_our_names(state)
    check_complete(converted)
    assert_same_bits(from_our_names(converted, 'mmaction2', num_tokens=TOKENS), state)


def test_mmaction2_backbone_alone(mmaction2: nn.Module) -> None:
    converted = to_our_names(mmaction2.backbone.state_dict())
    whole = to_our_names(mmaction2.state_dict())
    assert_same_bits(converted, {name: value for name, value in whole.items() if not name.startswith('head.fc.')})


def test_learnt_positions_and_scaled_branches_do_not_fit(mmaction2: nn.Module) -> None:
    state = mmaction2.state_dict()
    moved = {**state, 'backbone.pos_embed': state['backbone.pos_embed'] + 1e-3}
    with pytest.raises(KeyError, match='learnt positions are not supported'):
        to_our_names(moved)
    with pytest.raises(KeyError, match=r'no counterpart: \[.backbone\.blocks\.0\.gamma_1'):
        to_our_names({**state, 'backbone.blocks.0.gamma_1': torch.ones(DIMS)})
