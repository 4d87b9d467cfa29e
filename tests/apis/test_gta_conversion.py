"""Weights of Keras and checkpoints of the release become ours."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.gta_names import trunk_layers
from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.models import GTA
from tests.golden_gta import checkpoint_map
from tests.tensorflow_files import write_bundle

TOOL = 'tools/model_converters/convert_gta.py'


def small(shape: list[int], seed: int) -> np.ndarray:
    """Of as many axes, but at most 3 long."""
    return np.random.default_rng(seed).random([min(size, 3) for size in shape], np.float32)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """All variables of the release, of a smaller size, with those of the optimiser."""
    tensors = {key: small(entry['shape'], n) for n, (key, entry) in enumerate(checkpoint_map().items())}
    key = next(key for key in tensors if key.startswith('emb/conv_layers/0/kernel'))
    slot = key.replace('.ATTRIBUTES', '.OPTIMIZER_SLOT/optimizer/m/.ATTRIBUTES')
    extra = {slot: np.zeros(3), 'optimizer/iter/.ATTRIBUTES/VARIABLE_VALUE': np.array(3)}
    return write_bundle(tmp_path / 'ckpt-20', {**tensors, **extra})


def test_checkpoint_of_the_release(checkpoint: Path, run_tool, tmp_path: Path) -> None:
    result = run_tool(TOOL, checkpoint, tmp_path / 'gta.pth')
    assert result.status == 0, result.errors
    assert 'frame encoder and embedder' in result.output
    state = load_weights(tmp_path / 'gta.pth')
    counters = [name for name in state if name.endswith('num_batches_tracked')]
    assert len(state) - len(counters) == len(checkpoint_map()) == 186
    with torch.device('meta'):
        model = GTA(dict(type='ResNet50V2Encoder'))
    assert state.keys() == {name for name in model.state_dict() if not name.startswith('head.')}
    key = next(key for key in checkpoint_map() if key.startswith('emb/conv_layers/1/kernel'))
    kernel = small(checkpoint_map()[key]['shape'], list(checkpoint_map()).index(key))
    assert np.array_equal(state['neck.convs.1.weight'], kernel.transpose(4, 3, 0, 1, 2))
    assert run_tool(TOOL, f'{checkpoint}.index', tmp_path / 'gta.safetensors').status == 0
    again = load_weights(tmp_path / 'gta.safetensors')
    assert all(torch.equal(again[name], state[name]) for name in state)


def test_what_is_refused(checkpoint: Path, run_tool, tmp_path: Path) -> None:
    out = tmp_path / 'out.pth'
    assert 'nothing.index is missing' in run_tool(TOOL, tmp_path / 'nothing', out).errors
    missing = 'cnn/base_model/layer_with_weights-6/'
    part = {k: small(v['shape'], 0) for k, v in checkpoint_map().items() if not k.startswith(missing)}
    errors = run_tool(TOOL, write_bundle(tmp_path / 'part', part), out).errors
    assert 'lacks 2 of' in errors and 'backbone.stage2.0.shortcut.bias' in errors
    unknown = {'emb/other/kernel/.ATTRIBUTES/VARIABLE_VALUE': np.zeros(3)}
    flat = {'emb/fc_layers/0/kernel/.ATTRIBUTES/VARIABLE_VALUE': np.zeros(3)}
    assert 'has 1 axes' in run_tool(TOOL, write_bundle(tmp_path / 'flat', flat), out).errors
    assert 'emb/other' in run_tool(TOOL, write_bundle(tmp_path / 'unknown', unknown), out).errors
    assert not out.exists()


class TestKeras:
    """ImageNet weights of keras-applications."""

    @pytest.fixture
    def weights(self, tmp_path: Path) -> Path:
        h5py = pytest.importorskip('h5py')
        with torch.device('meta'):
            trunk = GTA(dict(type='ResNet50V2Encoder')).backbone
        modules: dict[str, nn.Module] = dict(trunk.named_modules())
        with h5py.File(tmp_path / 'notop.h5', 'w') as file:
            for keras, ours in (*trunk_layers(), ('conv4_block4_1_conv', 'conv1'), ('post_bn', 'stage2.0.bn1')):
                module = modules[ours]
                if isinstance(module, nn.Conv2d):
                    names = ['kernel:0'] + ['bias:0'] * (module.bias is not None)
                else:
                    names = ['gamma:0', 'beta:0', 'moving_mean:0', 'moving_variance:0']
                for name in names:
                    shape = [2, 3, 4, 5] if name == 'kernel:0' else [3]
                    file[f'{keras}/{keras}/{name}'] = small(shape, len(keras))
        return tmp_path / 'notop.h5'

    def test_trunk(self, weights: Path, run_tool, tmp_path: Path) -> None:
        result = run_tool(TOOL, weights, tmp_path / 'resnet.pth')
        assert result.status == 0, result.errors
        state = load_weights(tmp_path / 'resnet.pth')
        with torch.device('meta'):
            trunk = GTA(dict(type='ResNet50V2Encoder')).backbone
        assert {name.removeprefix('backbone.') for name in state} == trunk.state_dict().keys()
        kernel = small([2, 3, 4, 5], len('conv1_conv'))
        assert np.array_equal(state['backbone.conv1.weight'], kernel.transpose(3, 2, 0, 1))

    def test_what_is_refused(self, weights: Path, run_tool, tmp_path: Path) -> None:
        import h5py

        with h5py.File(weights, 'a') as file:
            del file['conv3_block1_0_conv']
        errors = run_tool(TOOL, weights, tmp_path / 'out.pth').errors
        assert 'lacks 2 of' in errors and 'backbone.stage3.0.shortcut.bias' in errors
        weights.write_bytes(b'no weights')
        assert 'notop.h5 is damaged or not an HDF5 file' in run_tool(TOOL, weights, tmp_path / 'out.pth').errors
        assert 'no weights at' in run_tool(TOOL, tmp_path / 'none.h5', tmp_path / 'out.pth').errors


def test_a_trunk_starts_training() -> None:
    model = GTA(dict(type='ResNet50V2Encoder'), dict(conv_channels=(8,), fc_channels=(), out_channels=4))
    other = GTA(dict(type='ResNet50V2Encoder'), dict(conv_channels=(8,), fc_channels=(), out_channels=4))
    state = {name: value for name, value in other.state_dict().items() if name.startswith('backbone.')}
    load_into_model(model, state, origin='x', allow_missing=True)
    assert torch.equal(model.backbone.stage4[2].conv3.weight, other.backbone.stage4[2].conv3.weight)
    assert not torch.equal(model.neck.convs[0].weight, other.neck.convs[0].weight)
    del state['backbone.stage3.1.conv2.weight']
    with pytest.raises(CheckpointError, match='lacks 1 parameters of the backbone'):
        load_into_model(model, state, origin='x', allow_missing=True)
