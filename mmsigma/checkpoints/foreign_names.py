"""Conversion between our parameter names and those of VideoMAE in mmaction2 and in Hugging Face transformers."""

import re
from collections.abc import Sequence

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.ops import sincos_position_table

Rules = Sequence[tuple[str, str]]

# (their prefix, our prefix); the first match wins, so longer prefixes come before their own beginnings.
_MMACTION2 = (
    ('backbone.patch_embed.projection.', 'backbone.patch_embed.proj.'),
    ('backbone.blocks.', 'backbone.blocks.'),
    ('backbone.norm.', 'backbone.norm.'),
    ('backbone.fc_norm.', 'head.fc_norm.'),
    ('cls_head.fc_cls.', 'head.fc.'),
)
_HUGGINGFACE = (
    ('videomae.embeddings.patch_embeddings.projection.', 'backbone.patch_embed.proj.'),
    ('videomae.encoder.layer.', 'backbone.blocks.'),
    ('videomae.layernorm.', 'backbone.norm.'),
    ('encoder_to_decoder.', 'neck.embed.'),
    ('decoder.decoder_layers.', 'neck.blocks.'),
    ('decoder.norm.', 'neck.norm.'),
    ('decoder.head.', 'neck.head.'),
    ('mask_token', 'neck.mask_token'),
    ('fc_norm.', 'head.fc_norm.'),
    ('classifier.', 'head.fc.'),
)
# parts of a block that have the same name in both
_SAME = ('norm1.', 'norm2.', 'attn.q_bias', 'attn.v_bias', 'attn.qkv.weight', 'attn.proj.')
_MMACTION2_BLOCK = (
    *((name, name) for name in _SAME),
    ('mlp.layers.0.0.', 'mlp.fc1.'),
    ('mlp.layers.1.', 'mlp.fc2.'),
)
_HUGGINGFACE_BLOCK = (
    ('layernorm_before.', 'norm1.'),
    ('layernorm_after.', 'norm2.'),
    ('attention.attention.query.bias', 'attn.q_bias'),
    ('attention.attention.value.bias', 'attn.v_bias'),
    ('attention.attention.qkv.weight', 'attn.qkv.weight'),  # after its three parts have been concatenated
    ('attention.output.dense.', 'attn.proj.'),
    ('intermediate.dense.', 'mlp.fc1.'),
    ('output.dense.', 'mlp.fc2.'),
)
_PARTS = ('query', 'key', 'value')


def rename(state: dict[str, Tensor], rules: Rules, block_rules: Rules | None = None) -> dict[str, Tensor]:
    """Rename parameters by the first rule whose prefix matches.

    Args:
        state: Parameters by name.
        rules: Pairs of a prefix and its replacement. A prefix without a trailing dot must match the whole name.
        block_rules: Rules for the part of the name after the number of a block, applied after ``rules``.

    Returns:
        Parameters under their new names.

    Raises:
        KeyError: If no rule matches some names; the message lists them.
    """
    renamed, unknown = {}, []
    for name, value in state.items():
        new = _replace_prefix(name, rules)
        if new and block_rules and (block := re.match(r'(.+\.(?:blocks|layer|decoder_layers)\.\d+\.)(.+)', new)):
            rest = _replace_prefix(block[2], block_rules)
            new = rest and block[1] + rest
        if new:
            renamed[new] = value
        else:
            unknown.append(name)
    if unknown:
        raise KeyError(f'{len(unknown)} parameters have no counterpart: {unknown[:8]}')
    return renamed


def _replace_prefix(name: str, rules: Rules) -> str | None:
    for prefix, new in rules:
        if name.startswith(prefix) if prefix.endswith('.') else name == prefix:
            return new + name[len(prefix) :]
    return None


def reverse(rules: Rules) -> Rules:
    """Return the rules of the opposite direction, longer prefixes first."""
    return sorted(((new, old) for old, new in rules), key=lambda rule: -len(rule[0]))


def require_biases(state: dict[str, Tensor], origin: str) -> None:
    """Check that every attention layer has its query and value bias, which some conversions lose.

    Args:
        state: Parameters under our names.
        origin: Origin of the file, for messages.

    Raises:
        KeyError: If biases are missing, or there is no attention layer; the message lists the missing names.
    """
    blocks = {name.split('.attn.')[0] for name in state if '.attn.qkv.weight' in name}
    biases = [f'{block}.attn.{bias}' for block in sorted(blocks) for bias in ('q_bias', 'v_bias')]
    lost = [name for name in biases if name not in state]
    if not blocks or lost:
        raise KeyError(f'the file lacks attention weights or biases of {origin}: {lost[:4] or "all"}')


def warn_of_zero_biases(state: dict[str, Tensor]) -> None:
    """Warn if all query and value biases, under our names, are zero."""
    if not any(value.any() for name, value in state.items() if name.endswith(('.q_bias', '.v_bias'))):
        MMLogger.get_current_instance().warning(
            'all query and value biases are zero, which no trained VideoMAE has: the tool that wrote this file may '
            'have lost them; check it against the original checkpoint'
        )


def is_mmaction2(state: dict[str, Tensor]) -> bool:
    """Return whether these are the parameter names of mmaction2's VideoMAE."""
    return any(name.endswith('patch_embed.projection.weight') or '.mlp.layers.0.0.' in name for name in state)


def from_mmaction2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of mmaction2's recogniser, or of its backbone alone, to our names.

    Raises:
        KeyError: If a name is not one of VideoMAE's, or the positions are not the fixed ones.
    """
    if not any(name.startswith('backbone.') for name in state):
        state = {f'backbone.{name}': value for name, value in state.items()}
    ours = rename(_without_positions(state), _MMACTION2, _MMACTION2_BLOCK)
    require_biases(ours, 'mmaction2')
    warn_of_zero_biases(ours)
    return ours


def to_mmaction2(state: dict[str, Tensor], num_tokens: int = 1568) -> dict[str, Tensor]:
    """Rename our parameters of a classifier or backbone to mmaction2's, and add the position table that it stores.

    Args:
        state: Parameters under our names.
        num_tokens: Length of the table, the number of tokens of a clip: 8 x 14 x 14 for 16 frames of 224 x 224.

    Returns:
        Parameters under mmaction2's names.

    Raises:
        KeyError: If a parameter has no counterpart; mmaction2 has no pre-training model.
    """
    theirs = rename(state, reverse(_MMACTION2), reverse(_MMACTION2_BLOCK))
    width = len(state['backbone.patch_embed.proj.bias'])
    return {'backbone.pos_embed': sincos_position_table(num_tokens, width)[None], **theirs}


def _without_positions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the position tables after checking that they are the fixed ones, which we compute instead."""
    for name, table in state.items():
        if name.endswith(('pos_embed', 'position_embeddings')):
            fixed = sincos_position_table(*table.shape[-2:])
            if not torch.allclose(table.float().reshape(fixed.shape), fixed, atol=1e-3 if table.itemsize < 4 else 1e-6):
                raise KeyError(f'{name} is not the fixed sine-cosine table: learnt positions are not supported')
    return {name: value for name, value in state.items() if not name.endswith(('pos_embed', 'position_embeddings'))}


def is_huggingface(state: dict[str, Tensor]) -> bool:
    """Return whether these are the parameter names of VideoMAE in transformers."""
    return any('embeddings.patch_embeddings.' in name or '.attention.attention.' in name for name in state)


def from_huggingface(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename and fuse the parameters of ``VideoMAEForPreTraining``, ``-ForVideoClassification`` or ``VideoMAEModel``.

    Queries, keys and values become one matrix. Their biases are called ``query.bias`` and ``value.bias``, or ``q_bias``
    and ``v_bias`` in files of older versions.

    Raises:
        KeyError: If a name is not one of VideoMAE's, or weights or biases of an attention layer are missing.
    """
    if any(name.startswith('embeddings.') for name in state):
        state = {f'videomae.{name}': value for name, value in state.items()}
    state = {
        name.replace('attention.attention.q_bias', 'attention.attention.query.bias').replace(
            'attention.attention.v_bias', 'attention.attention.value.bias'
        ): value
        for name, value in _without_positions(state).items()
    }
    for stem in [name.removesuffix('query.weight') for name in state if name.endswith('attention.query.weight')]:
        if lost := [part for part in _PARTS if f'{stem}{part}.weight' not in state]:
            raise KeyError(f'the file lacks {[f"{stem}{part}.weight" for part in lost]}')
        state[f'{stem}qkv.weight'] = torch.cat([state.pop(f'{stem}{part}.weight') for part in _PARTS])
    ours = rename(state, _HUGGINGFACE, _HUGGINGFACE_BLOCK)
    require_biases(ours, 'Hugging Face')
    warn_of_zero_biases(ours)
    return ours


def to_huggingface(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename our parameters to those of current transformers versions, the inverse of :func:`from_huggingface`.

    Raises:
        KeyError: If a parameter has no counterpart, such as SIGMA's projection and prototypes.
    """
    theirs: dict[str, Tensor] = {}
    for name, value in rename(state, reverse(_HUGGINGFACE), reverse(_HUGGINGFACE_BLOCK)).items():
        if name.endswith('attention.attention.qkv.weight'):
            stem = name.removesuffix('qkv.weight')
            theirs |= {f'{stem}{part}.weight': row.clone() for part, row in zip(_PARTS, value.chunk(3), strict=True)}
        else:
            theirs[name] = value
    return theirs
