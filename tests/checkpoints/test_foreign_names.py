"""VideoMAE of mmaction2 and of Hugging Face: the same numbers from the same weights, and the way back."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import mmaction
import pytest
import torch
from torch import Tensor, nn

from mmsigma.checkpoints.io import load_into_model
from mmsigma.checkpoints.key_mapping import check_complete, from_our_names, origin_of, to_our_names
from mmsigma.registry import MODELS

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


@pytest.fixture
def clips() -> Tensor:
    return torch.randn(2, 3, 4, 32, 32)


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


def old_layout(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The names that transformers before 5 wrote."""
    for part in ('query', 'value'):
        state = {name.replace(f'{part}.bias', f'{part[0]}_bias'): value for name, value in state.items()}
    return state


@pytest.mark.parametrize('layout', [dict, old_layout])
def test_huggingface_classifier(clips: Tensor, layout: Callable) -> None:
    theirs, ours = huggingface('VideoMAEForVideoClassification', use_mean_pooling=True), classifier()
    state = layout(theirs.state_dict())
    assert origin_of(state) == 'hf'
    assert any('q_bias' in name for name in state) == (layout is old_layout)
    load_into_model(ours, state, origin='hf', allow_missing=False)
    with torch.no_grad():
        expected = theirs(clips.transpose(1, 2)).logits
        torch.testing.assert_close(ours(clips), expected, atol=1e-5, rtol=1e-5)
        for block in ours.backbone.blocks:
            block.attn.q_bias.zero_()  # what other converters lose is not small
        assert (ours(clips) - expected).abs().max() > 1e-3
    converted = to_our_names(state)
    check_complete(converted)
    assert_same_bits(from_our_names(converted, 'hf'), theirs.state_dict())


def test_huggingface_pretraining(clips: Tensor) -> None:
    theirs = huggingface('VideoMAEForPreTraining', use_mean_pooling=False)
    state = theirs.state_dict()
    ours = pretraining()
    load_into_model(ours, state, origin='hf', allow_missing=False)
    mask = torch.stack([torch.randperm(TOKENS) < 24 for _ in range(2)])
    with torch.no_grad():
        predicted = ours.neck(ours.backbone(clips, mask), mask)
        expected = theirs(clips.transpose(1, 2), mask).logits
    torch.testing.assert_close(predicted, expected, atol=1e-5, rtol=1e-5)
    converted = to_our_names(state)
    check_complete(converted)
    assert_same_bits(from_our_names(converted, 'hf'), state)
    finetuning = classifier()
    load_into_model(finetuning, state, origin='hf')
    assert torch.equal(finetuning.backbone.blocks[1].attn.q_bias, ours.backbone.blocks[1].attn.q_bias)


def test_huggingface_backbone(clips: Tensor) -> None:
    theirs = huggingface('VideoMAEModel', use_mean_pooling=False)
    ours = MODELS.build(dict(type='VideoVisionTransformer', arch=ARCH, **SIZES))
    converted = to_our_names(theirs.state_dict())
    check_complete(converted)
    ours.load_state_dict({name.removeprefix('backbone.'): value for name, value in converted.items()})
    with torch.no_grad():
        expected = theirs(clips.transpose(1, 2)).last_hidden_state
        torch.testing.assert_close(ours(clips), expected, atol=1e-5, rtol=1e-5)


def test_huggingface_loads_what_we_write(clips: Tensor) -> None:
    ours = shake(classifier())
    theirs = huggingface('VideoMAEForVideoClassification', use_mean_pooling=True)
    theirs.load_state_dict(from_our_names(ours.state_dict(), 'hf'))
    with torch.no_grad():
        torch.testing.assert_close(theirs(clips.transpose(1, 2)).logits, ours(clips), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ('lost', 'message'),
    [
        ('videomae.encoder.layer.1.attention.attention.query.bias', r'lacks .*backbone\.blocks\.1\.attn\.q_bias'),
        ('decoder.decoder_layers.0.attention.attention.value.bias', r'lacks .*neck\.blocks\.0\.attn\.v_bias'),
        ('videomae.encoder.layer.0.attention.attention.key.weight', r'layer\.0\.attention\.attention\.key\.weight'),
        ('videomae.layernorm.weight', r'missing 1 \[.backbone\.norm\.weight'),
    ],
)
def test_lost_parameters_are_named(lost: str, message: str) -> None:
    state = huggingface('VideoMAEForPreTraining', use_mean_pooling=False).state_dict()
    del state[lost]
    with pytest.raises(KeyError, match=message):
        check_complete(to_our_names(state))


def test_biases_of_nothing_but_zeros_are_noticed(warnings_logged: list[str]) -> None:
    state = huggingface('VideoMAEForPreTraining', use_mean_pooling=False).state_dict()
    to_our_names(state)
    assert not warnings_logged
    zeros = {
        name: torch.zeros_like(v) if 'attention.attention' in name and 'bias' in name else v
        for name, v in state.items()
    }
    to_our_names(zeros)
    assert len(warnings_logged) == 1 and 'query and value biases are zero' in warnings_logged[0]


def test_parameters_without_counterpart(golden) -> None:
    state = to_our_names(golden('pretrain_mlp').tensors('sd/'))
    for origin in ('hf', 'mmaction2'):
        with pytest.raises(KeyError, match=r'head\.prototypes\.0|neck\.mask_token'):
            from_our_names(state, origin)


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
