"""Names of GTA's checkpoints."""

import zlib

import numpy as np
import pytest
from torch import Tensor, nn

from mmsigma.checkpoints.gta_names import from_tensorflow, our_name
from mmsigma.models.backbones.resnet_v2 import ResNet50V2Encoder
from mmsigma.models.gta.context_embedder import ContextEmbedder
from tests.golden_gta import checkpoint_map, load_case


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


def test_names(state: dict[str, Tensor]) -> None:
    assert len(checkpoint_map()) == 186
    own = build(state).state_dict()
    assert set(state) == set(own)
    for key, entry in checkpoint_map().items():
        assert our_name(key) == our_name(entry['name']), key
    variables = {key: np.zeros(entry['shape'], np.float32) for key, entry in checkpoint_map().items()}
    slots = {f'{key[:-27]}.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES/VARIABLE_VALUE': variables[key] for key in variables}
    shapes = {name: value.shape for name, value in from_tensorflow({**variables, **slots, 'save_counter': 0}).items()}
    assert shapes == {name: value.shape for name, value in own.items()}
    for unknown in ('cnn/base_model/layer_with_weights-99/kernel', 'emb/other/kernel', 'cnn/conv1_conv/slope'):
        with pytest.raises(KeyError, match='is not a variable of the GTA network'):
            our_name(unknown)
