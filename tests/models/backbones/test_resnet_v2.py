"""GTA's ResNet: its trunk against the original, and what of it trains."""

import zlib

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mmsigma.checkpoints.gta_names import from_tensorflow
from mmsigma.models.backbones.resnet_v2 import ResNet50V2Encoder
from mmsigma.models.gta.context_embedder import ContextEmbedder
from tests.golden_gta import Case, checkpoint_map, load_case


def draw_weight(name: str, shape: list[int], seed: int) -> np.ndarray:
    """The recipe of the golden vectors."""
    drawn = np.random.RandomState(zlib.crc32(name.encode()) ^ seed).randn(*shape)
    return {
        'kernel': lambda: drawn * np.sqrt(2 / np.prod(shape[:-1])),
        'bias': lambda: 0.05 * drawn,
        'gamma': lambda: 1 + 0.1 * drawn,
        'beta': lambda: 0.1 * drawn,
        'moving_mean': lambda: 0.1 * drawn,
        'moving_variance': lambda: np.exp(0.2 * drawn),
    }[name.rpartition('/')[2]]().astype(np.float32)


@pytest.fixture(scope='module')
def state() -> dict[str, Tensor]:
    seed = load_case('encoder', 'trunk_eval').params['seed']
    entries = checkpoint_map().items()
    return from_tensorflow({key: draw_weight(entry['name'], entry['shape'], seed) for key, entry in entries})


def build(state: dict[str, Tensor], train_mode: str = 'train_all') -> nn.ModuleDict:
    model = nn.ModuleDict({'backbone': ResNet50V2Encoder(train_mode), 'neck': ContextEmbedder(dropout=0)})
    model.load_state_dict(state)
    return model


def images(case: Case) -> Tensor:
    drawn = np.random.RandomState(case.params['img_seed']).uniform(-1, 1, case.params['shape']).astype(np.float32)
    return torch.from_numpy(drawn).flatten(0, 1).permute(0, 3, 1, 2)


def test_trunk(state: dict[str, Tensor]) -> None:
    case = load_case('encoder', 'trunk_eval')
    trunk = build(state)['backbone'].eval()
    with torch.no_grad():
        maps = trunk.stages(images(case))
        feature = trunk(images(case))
    expected = case.tensor('feature').permute(2, 0, 1)[None]
    torch.testing.assert_close(feature, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    names = ('conv1_conv', 'pool1_pool', 'conv2_block3_out', 'conv3_block4_out')
    compared = dict(zip(names, maps, strict=False))
    with torch.no_grad():
        compared |= {'conv2_block1_out': trunk.stage2[0](maps[1]), 'conv4_block1_out': trunk.stage4[0](maps[3])}
    for name, values in compared.items():
        assert list(values.shape[1:]) == case.tensor(f'{name}_shape').roll(1).tolist()
        means = case.tensor(f'{name}_chmean')
        torch.testing.assert_close(values[0].mean(dim=0), means, rtol=0, atol=1e-4 * float(means.abs().max()))


@pytest.mark.parametrize('mode', ['scratch', 'train_all', 'only_bn', 'frozen'])
def test_train_modes(mode: str) -> None:
    trunk = ResNet50V2Encoder(mode).train()
    before = {name: value.clone() for name, value in trunk.named_buffers()}
    maps = trunk(torch.randn(2, 3, 32, 32))
    changed = [name for name, value in trunk.named_buffers() if not torch.equal(value, before[name])]
    assert len(changed) == (0 if mode == 'frozen' else len(before))
    assert maps.requires_grad == (mode != 'frozen')
    norms = {f'{name}.{part}' for name, m in trunk.named_modules() for part in ('weight', 'bias') if 'bn' in name}
    names = {name for name, _ in trunk.named_parameters()}
    expected = {'only_bn': norms, 'frozen': set()}.get(mode, names)
    if mode != 'frozen':
        maps.square().mean().backward()
    assert {name for name, value in trunk.named_parameters() if value.grad is not None} == expected
