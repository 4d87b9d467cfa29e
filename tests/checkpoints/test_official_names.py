"""Names of official files and ours."""

import pytest
import torch

from mmsigma.checkpoints.official_names import check_complete, from_official, to_official

PAIRS = {
    'mask_token': 'neck.mask_token',
    'prototypes': 'head.prototypes.0',
    'encoder.patch_embed.proj.weight': 'backbone.patch_embed.proj.weight',
    'encoder.blocks.1.attn.qkv.weight': 'backbone.blocks.1.attn.qkv.weight',
    'encoder.norm.bias': 'backbone.norm.bias',
    'encoder_to_decoder.weight': 'neck.embed.weight',
    'decoder.blocks.0.attn.v_bias': 'neck.blocks.0.attn.v_bias',
    'decoder.norm.weight': 'neck.norm.weight',
    'decoder.head.weight': 'neck.head.weight',
    'head.6.weight': 'target.mlp.6.weight',
}


@pytest.mark.parametrize('name', ['pretrain_mlp', 'pretrain_dino', 'videomae_pretrain'])
def test_pretraining_files_and_back(golden, name: str) -> None:
    official = golden(name).tensors('sd/')
    ours = from_official(official)
    assert len(ours) == len(official)
    for theirs, name_of_ours in PAIRS.items():
        if theirs in official:
            assert ours[name_of_ours] is official[theirs]
    back = to_official(ours)
    assert back.keys() == official.keys() and all(back[name] is official[name] for name in official)


def test_all_pairs_are_in_the_mlp_file(golden) -> None:
    assert PAIRS.keys() <= golden('pretrain_mlp').tensors('sd/').keys()


def test_finetuning_names(golden) -> None:
    keys = golden('pretrain_to_finetune_keys').arrays
    ours = from_official({name: torch.empty(0) for name in keys['finetune_keys']})
    backbone = {name.removeprefix('backbone.') for name in ours if name.startswith('backbone.')}
    assert backbone == set(keys['loaded'])
    rest = {'head.fc_norm.weight', 'head.fc_norm.bias', 'head.fc.weight', 'head.fc.bias'}
    assert {name for name in ours if not name.startswith('backbone.')} == rest
    assert to_official(ours).keys() == set(keys['finetune_keys'])


def test_backbone_of_a_pretraining_file_is_what_finetuning_loads(golden) -> None:
    keys = golden('pretrain_to_finetune_keys').arrays
    ours = from_official({name: torch.empty(0) for name in keys['pretrain_keys']})
    backbone = {name.removeprefix('backbone.') for name in ours if name.startswith('backbone.')}
    assert backbone == {*keys['loaded'], 'norm.weight', 'norm.bias'}


@pytest.mark.parametrize('bias', ['q_bias', 'v_bias'])
def test_lost_biases_are_noticed(golden, bias: str) -> None:
    state = golden('pretrain_mlp').tensors('sd/')
    del state[f'encoder.blocks.1.attn.{bias}']
    with pytest.raises(KeyError, match=rf'lacks attention weights or biases.*backbone.blocks.1.attn.{bias}'):
        from_official(state)


@pytest.mark.parametrize('name', ['pretrain_mlp', 'pretrain_dino', 'videomae_pretrain', 'finetune'])
def test_every_single_loss_is_noticed(golden, name: str) -> None:
    ours = from_official(golden(name).tensors('sd/'))
    check_complete(ours)
    for lost in ours:
        with pytest.raises(KeyError, match=rf"missing 1 \['{lost}'\], unexpected 0"):
            check_complete({name: value for name, value in ours.items() if name != lost})
    with pytest.raises(KeyError, match=r"missing 0 \[\], unexpected 1 \['backbone.cls_token'\]"):
        check_complete({**ours, 'backbone.cls_token': torch.empty(0)})


@pytest.mark.parametrize('state', [{}, {'head.weight': torch.empty(0)}])
def test_files_without_attention(state: dict) -> None:
    with pytest.raises(KeyError, match='lacks attention weights or biases of an official model: all'):
        from_official(state)


@pytest.mark.parametrize('name', ['memory_bank', 'encoder_norm.weight', 'prototypes2', 'mask_token.weight'])
def test_unknown_official_names(golden, name: str) -> None:
    state = golden('pretrain_mlp').tensors('sd/')
    with pytest.raises(KeyError, match=rf"1 parameters have no counterpart: \['{name}'\]"):
        from_official({**state, name: torch.empty(0)})


def test_further_levels_of_prototypes_have_no_official_name(golden) -> None:
    ours = from_official(golden('pretrain_mlp').tensors('sd/'))
    with pytest.raises(KeyError, match=r"no counterpart: \['head.prototypes.1'\]"):
        to_official({**ours, 'head.prototypes.1': torch.empty(0)})
