"""Checkpoint conversion, with the parameters of small official models."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from mmsigma.checkpoints.io import load_into_model, load_state_strictly, load_weights
from mmsigma.registry import MODELS

GOLDEN = Path(__file__).parents[1] / 'golden' / 'sigma'


@pytest.fixture
def run(run_tool: Callable[..., Any]) -> Callable[..., Any]:
    return partial(run_tool, 'tools/model_converters/convert_sigma.py')


def official_state(name: str) -> dict[str, Tensor]:
    arrays = np.load(GOLDEN / f'{name}.npz')
    return {key.removeprefix('sd/'): torch.from_numpy(arrays[key]) for key in arrays.files if key.startswith('sd/')}


def write_official(path: Path, state: dict[str, Tensor], key: str = 'model', **others: object) -> Path:
    torch.save({key: state, 'epoch': 799, **others}, path)
    return path


def assert_same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype and torch.equal(value, other[name]), name


@pytest.mark.parametrize(
    ('name', 'key', 'says'),
    [
        ('pretrain_mlp', 'model', ('SIGMA pre-training (MLP target)', '20 prototypes of width 12')),
        ('pretrain_mlp', 'module', ('SIGMA pre-training (MLP target)',)),
        ('videomae_pretrain', 'module', ('VideoMAE pre-training',)),
        ('finetune', 'model', ('fine-tuning', '11 classes of width 32')),
    ],
)
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_round_trip_is_bit_identical(
    run, tmp_path: Path, name: str, key: str, says: tuple[str, ...], suffix: str
) -> None:
    state = official_state(name)
    src = write_official(tmp_path / 'official.pth', state, key)
    ours, back = tmp_path / f'ours{suffix}', tmp_path / f'back{suffix}'
    there = run(src, ours)
    assert there.status == 0, there.errors
    total = sum(value.numel() for value in state.values())
    for text in (*says, f'{total:,} parameters in {len(state)} tensors', str(ours)):
        assert text in there.output
    again = run(ours, back, '--to-official')
    assert again.status == 0, again.errors
    written = load_file(back) if suffix == '.safetensors' else torch.load(back, weights_only=True)['model']
    assert_same_bits(written, state)


def test_converted_file_fits_the_model_completely(run, tmp_path: Path) -> None:
    src = write_official(tmp_path / 'official.pth', official_state('pretrain_mlp'))
    assert run(src, tmp_path / 'ours.pth').status == 0
    model = MODELS.build(
        dict(
            type='mmsigma.SIGMA',
            backbone=dict(
                type='VideoVisionTransformer',
                arch=dict(embed_dims=32, depth=2, num_heads=4),
                img_size=32,
                num_frames=4,
                patch_size=8,
            ),
            neck=dict(type='MaskedVideoDecoder', embed_dims=16, depth=1, num_heads=2),
            target=dict(type='MLPTarget', hidden_channels=(32, 32, 24), out_channels=12, patch_size=8),
            head=dict(type='PrototypeHead', num_prototypes=20),
        )
    )
    load_state_strictly(model, load_weights(tmp_path / 'ours.pth'), origin='ours.pth')


def test_objects_in_the_file_need_trust(run, tmp_path: Path) -> None:
    state = official_state('pretrain_mlp')
    src = write_official(tmp_path / 'official.pth', state, args=argparse.Namespace(lr=1e-3))
    dst = tmp_path / 'ours.pth'
    refused = run(src, dst)
    assert refused.status != 0 and '--trust' in refused.errors and not dst.exists()
    assert run(src, dst, '--trust').status == 0
    meta = torch.load(dst, weights_only=True)['meta']
    assert meta['source'] == 'official.pth' and 'MLP' in meta['kind']


def lose_bias(state: dict[str, Tensor]) -> None:
    del state['encoder.blocks.1.attn.q_bias']


def add_parameter(state: dict[str, Tensor]) -> None:
    state['classifier.weight'] = torch.zeros(2)


@pytest.mark.parametrize(
    ('spoil', 'names'), [(lose_bias, 'backbone.blocks.1.attn.q_bias'), (add_parameter, 'classifier.weight')]
)
def test_parameters_that_do_not_fit_are_named_and_nothing_is_written(run, tmp_path: Path, spoil, names: str) -> None:
    state = official_state('pretrain_mlp')
    spoil(state)
    dst = tmp_path / 'ours.pth'
    dst.write_bytes(b'precious')
    failed = run(write_official(tmp_path / 'official.pth', state), dst)
    assert failed.status != 0 and names in failed.errors
    assert dst.read_bytes() == b'precious'


def test_incomplete_model_is_refused_in_both_directions(run, tmp_path: Path) -> None:
    state = official_state('pretrain_dino')
    whole, ours, dst = tmp_path / 'whole.pth', tmp_path / 'ours.pth', tmp_path / 'out.pth'
    assert run(write_official(whole, state), ours).status == 0
    del state['prototypes']
    renamed = load_weights(ours)
    del renamed['head.prototypes.0']
    torch.save({'state_dict': renamed}, ours)
    for args in [(write_official(whole, state), dst), (ours, dst, '--to-official')]:
        failed = run(*args)
        assert failed.status != 0 and "missing 1 ['head.prototypes.0']" in failed.errors
    assert not dst.exists()


@pytest.mark.parametrize('share', [0.0, 0.5, 0.99])
def test_truncated_file_is_refused(run, tmp_path: Path, share: float) -> None:
    src = write_official(tmp_path / 'official.pth', official_state('videomae_pretrain'))
    content = src.read_bytes()
    src.write_bytes(content[: int(share * len(content))])
    dst = tmp_path / 'ours.pth'
    dst.write_bytes(b'precious')
    failed = run(src, dst)
    assert failed.status != 0 and str(src) in failed.errors
    assert dst.read_bytes() == b'precious'


def test_wrong_direction_and_missing_source_are_refused(run, tmp_path: Path) -> None:
    src = write_official(tmp_path / 'official.pth', official_state('finetune'))
    assert run(src, tmp_path / 'ours.pth').status == 0
    for args in [
        (tmp_path / 'ours.pth', tmp_path / 'out.pth'),
        (src, tmp_path / 'out.pth', '--to-official'),
        (tmp_path / 'missing.pth', tmp_path / 'out.pth'),
    ]:
        failed = run(*args)
        assert failed.status != 0
    assert not (tmp_path / 'out.pth').exists()


def test_further_levels_of_prototypes_have_no_official_name(run, tmp_path: Path) -> None:
    src = write_official(tmp_path / 'official.pth', official_state('pretrain_mlp'))
    assert run(src, tmp_path / 'ours.pth').status == 0
    state = load_weights(tmp_path / 'ours.pth')
    state['head.prototypes.1'] = torch.zeros(40, 12)
    torch.save({'state_dict': state}, tmp_path / 'levels.pth')
    failed = run(tmp_path / 'levels.pth', tmp_path / 'out.pth', '--to-official')
    assert failed.status != 0 and 'head.prototypes.1' in failed.errors


@pytest.mark.parametrize(('name', 'to'), [('finetune', 'hf'), ('finetune', 'mmaction2'), ('videomae_pretrain', 'hf')])
@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_other_frameworks_and_back(run, tmp_path: Path, name: str, to: str, suffix: str) -> None:
    state = official_state(name)
    src = write_official(tmp_path / 'official.pth', state)
    theirs, back = tmp_path / f'theirs{suffix}', tmp_path / f'back{suffix}'
    there = run(src, theirs, '--to', to, '--num-tokens', 32)
    assert there.status == 0, there.errors
    assert f'{src} (official) -> {theirs} ({to})' in there.output
    names = load_weights(theirs).keys()
    expected = {'hf': 'videomae.embeddings.patch_embeddings.projection.bias', 'mmaction2': 'backbone.pos_embed'}[to]
    assert expected in names
    again = run(theirs, back, '--to', 'official')
    assert again.status == 0, again.errors
    assert_same_bits(load_weights(back), state)


def test_backbone_alone_for_models_without_prototypes(run, tmp_path: Path) -> None:
    state = official_state('pretrain_mlp')
    src, dst = write_official(tmp_path / 'official.pth', state), tmp_path / 'model.safetensors'
    whole = run(src, dst, '--to', 'hf')
    assert whole.status != 0 and 'head.prototypes.0' in whole.errors and not dst.exists()
    part = run(src, dst, '--to', 'hf', '--backbone-only')
    assert part.status == 0 and part.output.startswith('backbone, '), part.errors
    written = load_file(dst)
    assert all(name.startswith('videomae.') for name in written)
    assert torch.equal(written['videomae.layernorm.bias'], state['encoder.norm.bias'])
    weight = state['encoder.blocks.1.attn.qkv.weight']
    assert torch.equal(written['videomae.encoder.layer.1.attention.attention.value.weight'], weight[64:])


def test_final_norm_as_that_of_the_head(run, tmp_path: Path) -> None:
    state = official_state('pretrain_mlp')
    src, dst = write_official(tmp_path / 'official.pth', state), tmp_path / 'start.pth'
    assert run(src, dst, '--norm-to-head').status == 0
    backbone = dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=32, depth=2, num_heads=2),
        img_size=32,
        num_frames=4,
        patch_size=8,
        final_norm=False,
    )
    head = dict(type='ClassificationHead', num_classes=5)
    model = MODELS.build(dict(type='VideoClassifier', backbone=backbone, head=head))
    load_into_model(model, load_weights(dst), origin=dst)
    assert torch.equal(model.head.fc_norm.weight, state['encoder.norm.weight'])
    assert torch.equal(model.head.fc_norm.bias, state['encoder.norm.bias'])
    assert torch.equal(model.backbone.blocks[0].attn.v_bias, state['encoder.blocks.0.attn.v_bias'])
    finetuned = write_official(tmp_path / 'finetuned.pth', official_state('finetune'))
    failed = run(finetuned, dst, '--norm-to-head')
    assert failed.status != 0 and 'final norm' in failed.errors


def test_names_that_are_there_already(run, tmp_path: Path) -> None:
    src = write_official(tmp_path / 'official.pth', official_state('finetune'))
    failed = run(src, tmp_path / 'out.pth', '--to', 'official')
    assert failed.status != 0 and "already have the names of 'official'" in failed.errors
