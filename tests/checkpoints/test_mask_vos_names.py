"""Names of the released Mask-VOS and DUL models, there and back."""

import pytest
import torch
from torch import nn

from mmsigma.checkpoints.mask_vos_names import from_mask_vos, is_mask_vos, official_name
from mmsigma.models.mask_vos.networks import FrameMaskEncoder, KeyEncoder, MaskDecoder
from tests.golden_mask_vos import load_vectors


@pytest.fixture(scope='module')
def released() -> dict[str, torch.Tensor]:
    """Every parameter of the release, without its numbers."""
    shapes = load_vectors('seg_forward').entry['state_dict_shapes']
    return {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}


@pytest.fixture(scope='module')
def own() -> dict[str, torch.Tensor]:
    with torch.device('meta'):
        reader = nn.ModuleDict(dict(mask_encoder=FrameMaskEncoder(50), decoder=MaskDecoder()))
        return nn.ModuleDict(dict(backbone=KeyEncoder(50), reader=reader)).state_dict()


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_every_parameter_of_the_release_is_one_of_ours(prefix: str, released: dict, own: dict) -> None:
    found = from_mask_vos({prefix + name: value for name, value in released.items()})
    assert {name: value.shape for name, value in found.items()} == {name: value.shape for name, value in own.items()}


def test_values_go_with_their_names() -> None:
    one, two = torch.ones(1), torch.zeros(1)
    found = from_mask_vos({'module.fast_net.emb_q.conv1.weight': one, 'decoder.pred.bias': two})
    assert found['backbone.key.0.weight'] is one and found['reader.decoder.pred.bias'] is two


def test_our_names_go_back(released: dict, own: dict) -> None:
    names = {name: official_name(name) for name in own}
    used = {name for name in released if not name.startswith('fast_net.emb_v.')}
    assert set(names.values()) == used
    assert all(next(iter(from_mask_vos({theirs: torch.empty(0)}))) == name for name, theirs in names.items())


def test_head_that_is_not_used_is_left_out() -> None:
    assert from_mask_vos({'module.fast_net.emb_v.conv1.weight': torch.empty(1)}) == {}


def test_unknown_names() -> None:
    for name in ('fast_net.head.weight', 'encoder.weight'):
        with pytest.raises(KeyError, match=name):
            from_mask_vos({name: torch.empty(1)})
    with pytest.raises(KeyError, match='neck.weight'):
        official_name('neck.weight')


def test_files_are_recognised(released: dict, own: dict) -> None:
    assert is_mask_vos(released) and is_mask_vos({f'module.{name}': value for name, value in released.items()})
    assert is_mask_vos({'fast_net.backbone.conv1.weight': torch.empty(1)})  # of DUL
    assert not is_mask_vos(own) and not is_mask_vos({}) and not is_mask_vos({'my_fast_net.weight': torch.empty(1)})
