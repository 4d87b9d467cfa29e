"""VideoMAE of Hugging Face transformers: the same features and logits from its files, and back."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mmsigma.checkpoints.io import load_into_model
from mmsigma.checkpoints.key_mapping import from_our_names, origin_of, to_our_names
from mmsigma.checkpoints.official_names import check_complete
from mmsigma.registry import MODELS
from tests.checkpoints.small_models import (
    ARCH,
    SIZES,
    TOKENS,
    assert_same_bits,
    classifier,
    huggingface,
    pretraining,
    shake,
)


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
