"""The encoder of MAST: parity with the release, the names of its parameters, and checkpoints as it writes them."""

from pathlib import Path

import pytest
import torch

from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file
from mmsigma.checkpoints.io import find_weights, load_into_model
from mmsigma.models import LabelPropagation, MASTEncoder
from mmsigma.ops.colour import rgb_to_lab
from tests.golden_mask_vos import fill, load_vectors


@torch.no_grad()
def test_equals_the_original() -> None:
    vectors = load_vectors('encoder_mast')
    encoder = fill(MASTEncoder(), vectors.entry['weight_tag'], '')
    vectors.assert_close(encoder.encode_lab(vectors.tensor('in_lab')[None]), 'out_feat')


def test_parameters_have_the_names_of_the_release() -> None:
    shapes = {name: tuple(value.shape) for name, value in MASTEncoder().state_dict().items()}
    stages = {name.split('.')[1] for name in shapes if name.startswith('feature_extraction.')}
    assert stages == {'conv1', 'layer1', 'layer2', 'layer3', 'layer4'}
    assert len(shapes) == 6 + 4 * 2 * 12 + 2 * 6 + 2  # two shortcuts
    assert shapes['feature_extraction.conv1.0.weight'] == (64, 3, 7, 7)
    assert shapes['feature_extraction.layer2.0.shortcut.0.weight'] == (128, 64, 1, 1)
    assert shapes['feature_extraction.layer3.1.left.3.weight'] == (256, 256, 3, 3)
    assert 'feature_extraction.layer4.1.left.4.running_var' in shapes
    assert 'feature_extraction.layer4.0.shortcut.0.weight' not in shapes
    assert (shapes['post_convolution.weight'], shapes['post_convolution.bias']) == ((64, 256, 3, 3), (64,))


@torch.no_grad()
def test_sees_lab_colours() -> None:
    encoder, images = MASTEncoder().eval(), torch.rand(2, 3, 20, 28)
    assert encoder(images).shape == (2, 64, 5, 7)
    torch.testing.assert_close(encoder(images), encoder.encode_lab(rgb_to_lab(images)))


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_released_checkpoints_load(prefix: str, tmp_path: Path) -> None:
    trained = MASTEncoder()
    state = {prefix + name: torch.rand_like(value.float()).to(value) for name, value in trained.state_dict().items()}
    torch.save(dict(epoch=20, state_dict=state, optimizer={}), tmp_path / 'checkpoint.pt')
    model = LabelPropagation(dict(type='MASTEncoder'), propagator=dict(type='MASTPropagator'))
    weights = find_weights(load_checkpoint_file(tmp_path / 'checkpoint.pt'), 'checkpoint.pt')
    load_into_model(model, weights, origin='checkpoint.pt', allow_missing=False, backbone_only=True)
    for name, value in model.backbone.state_dict().items():
        assert value.equal(state[prefix + name]), name
    weights = {name: value for name, value in weights.items() if not name.endswith('post_convolution.bias')}
    with pytest.raises(CheckpointError, match=r"lacks 1 parameters of the backbone: \['backbone.post_convolution.bias"):
        load_into_model(model, weights, origin='checkpoint.pt', allow_missing=False, backbone_only=True)
