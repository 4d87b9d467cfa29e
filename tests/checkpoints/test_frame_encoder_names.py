"""Published encoders of frames load into models of label propagation."""

from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18, resnet50

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.checkpoints.key_mapping import to_our_names
from mmsigma.checkpoints.mask_vos_names import official_name
from mmsigma.models import KeyEncoder, LabelPropagation
from mmsigma.registry import MODELS


def load(content: dict, tmp_path: Path, **backbone) -> LabelPropagation:
    torch.save(content, tmp_path / 'file.pth')
    model = LabelPropagation(dict(type='ResNetEncoder', **backbone))
    load_into_model(
        model, load_weights(tmp_path / 'file.pth'), origin='file.pth', allow_missing=False, backbone_only=True
    )
    return model


def same(model: LabelPropagation, network: torch.nn.Module) -> bool:
    theirs = network.state_dict()
    return all(torch.equal(value, theirs[name]) for name, value in model.backbone.state_dict().items())


def prefixed(state: dict, prefix: str) -> dict:
    return {prefix + name: value for name, value in state.items()}


@pytest.mark.parametrize('prefix', ['', 'module.', 'module.encoder_q.', 'backbone.'])
def test_resnets(prefix: str, tmp_path: Path) -> None:
    network = resnet18()
    state = prefixed(network.state_dict(), prefix)
    if 'encoder_q' in prefix:
        state |= prefixed(resnet18().state_dict(), 'module.encoder_k.') | {'module.queue': torch.zeros(3)}
        content = dict(epoch=3, state_dict=state)
    else:
        content = state
    assert same(load(content, tmp_path), network)
    assert same(load(content, tmp_path, out_stage=3, padding_mode='reflect'), network)


def test_dino_resnet50(tmp_path: Path) -> None:
    student, teacher = resnet50(), resnet50()
    content = {
        'student': prefixed(student.state_dict(), 'module.backbone.'),
        'teacher': prefixed(teacher.state_dict(), 'backbone.') | {'head.mlp.0.weight': torch.zeros(2)},
        'epoch': 1,
    }
    assert same(load(content, tmp_path, depth=50, out_stage=3), teacher)


@pytest.mark.parametrize('wrapped', [False, True])
def test_crw(wrapped: bool, tmp_path: Path) -> None:
    network = resnet18()
    state = {f'encoder.model.{name}': value for name, value in network.state_dict().items() if 'fc' not in name}
    if wrapped:  # the published file wraps 3 x 3 and 7 x 7 convolutions, but not those of shortcuts
        names = {'conv1.weight': 'conv1.1.weight', 'conv2.weight': 'conv2.1.weight'}
        for old, new in names.items():
            state = {name.replace(old, new): value for name, value in state.items()}
    content = dict(model={**state, 'selfsim_fc.0.weight': torch.zeros(128, 512)}, epoch=24)
    assert same(load(content, tmp_path, out_stage=3, padding_mode='reflect'), network)


def test_dul_and_mask_vos(tmp_path: Path) -> None:
    keys = KeyEncoder(18, skips=False)
    state = {official_name(f'backbone.{name}'): value for name, value in keys.state_dict().items()}
    content = dict(model=prefixed(state, 'module.'), epoch=120, score=0.675)
    assert same(load(content, tmp_path), keys.backbone)
    model = LabelPropagation(dict(type='KeyEncoder', skips=False))
    load_into_model(
        model, load_weights(tmp_path / 'file.pth'), origin='file.pth', allow_missing=False, backbone_only=True
    )
    assert all(torch.equal(value, keys.state_dict()[name]) for name, value in model.backbone.state_dict().items())


@pytest.mark.parametrize('depth', [18, 50])
def test_training_of_keys_begins_with_a_network_alone(depth: int, tmp_path: Path) -> None:
    """DINO's pre-training of the encoder, or any other; what it lacks keeps its initial values."""
    network = {18: resnet18, 50: resnet50}[depth]()
    torch.save(prefixed(network.state_dict(), 'backbone.'), tmp_path / 'file.pth')
    model = MODELS.build(dict(type='MaskVOS', backbone=dict(type='KeyEncoder', depth=depth)))
    before = {name: value.clone() for name, value in model.backbone.key.state_dict().items()}
    weights = load_weights(tmp_path / 'file.pth')
    load_into_model(model, weights, origin='file.pth')
    assert same(model.backbone, network)
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.key.state_dict().items())
    with pytest.raises(CheckpointError, match='file.pth lacks .* parameters of the backbone'):  # in testing
        load_into_model(model, weights, origin='file.pth', allow_missing=False, backbone_only=True)
    weights.pop('backbone.layer2.0.conv1.weight')
    with pytest.raises(CheckpointError, match=r"lacks 1 .*\['backbone.backbone.layer2.0.conv1.weight'\]"):
        load_into_model(model, weights, origin='file.pth')
    other = {18: resnet50, 50: resnet18}[depth]().state_dict()
    with pytest.raises(CheckpointError):
        load_into_model(model, other, origin='other.pth')


@pytest.mark.parametrize('final_norm', [True, False])
def test_training_of_keys_begins_with_sigma(final_norm: bool) -> None:
    video = dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=24, depth=1, num_heads=2),
        img_size=32,
        num_frames=4,
        dynamic_size=True,
    )
    trained = MODELS.build(video)
    state = prefixed(trained.state_dict(), 'backbone.') | {'neck.mask_token': torch.zeros(1, 1, 8)}
    encoder = dict(type='ViTKeyEncoder', encoder=dict(video, final_norm=final_norm))
    model = MODELS.build(dict(type='MaskVOS', backbone=encoder))
    load_into_model(model, state, origin='sigma.pth')
    own = model.backbone.backbone.state_dict()
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in own.items())


@pytest.mark.parametrize(
    ('keys', 'network'),
    [
        (dict(type='MASTKeyEncoder'), dict(type='MASTEncoder')),
        (
            dict(type='KeyEncoder', padding_mode='reflect'),
            dict(type='ResNetEncoder', padding_mode='reflect', out_stage=3),
        ),
    ],
)
def test_what_mask_vos_trained_propagates_labels(keys: dict, network: dict) -> None:
    trained = MODELS.build(dict(type='MaskVOS', backbone=keys))
    model = LabelPropagation(network)
    load_into_model(model, trained.state_dict(), origin='epoch_1.pth', allow_missing=False, backbone_only=True)
    own, theirs = model.backbone.state_dict(), trained.backbone.backbone.state_dict()
    assert own and all(torch.equal(value, theirs[name]) for name, value in own.items())


def test_another_depth_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load(resnet50().state_dict(), tmp_path)


def test_mast() -> None:
    state = {'module.feature_extraction.conv1.1.weight': torch.zeros(64), 'post_convolution.bias': torch.zeros(64)}
    assert to_our_names(state).keys() == {
        'backbone.feature_extraction.conv1.1.weight',
        'backbone.post_convolution.bias',
    }
