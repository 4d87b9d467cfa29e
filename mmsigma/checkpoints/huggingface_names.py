"""Conversion between our parameter names and those of VideoMAE in Hugging Face transformers."""

import torch
from torch import Tensor

from mmsigma.checkpoints.renaming import rename, require_biases, reverse, warn_of_zero_biases, without_positions

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
        for name, value in without_positions(state).items()
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
