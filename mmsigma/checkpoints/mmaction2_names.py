"""Conversion between our parameter names and those of mmaction2's VideoMAE."""

from torch import Tensor

from mmsigma.checkpoints.renaming import rename, require_biases, reverse, warn_of_zero_biases, without_positions
from mmsigma.ops import sincos_position_table

# (their prefix, our prefix); the first match wins, so longer prefixes come before their own beginnings.
_MMACTION2 = (
    ('backbone.patch_embed.projection.', 'backbone.patch_embed.proj.'),
    ('backbone.blocks.', 'backbone.blocks.'),
    ('backbone.norm.', 'backbone.norm.'),
    ('backbone.fc_norm.', 'head.fc_norm.'),
    ('cls_head.fc_cls.', 'head.fc.'),
)
# parts of a block that have the same name in both
_SAME = ('norm1.', 'norm2.', 'attn.q_bias', 'attn.v_bias', 'attn.qkv.weight', 'attn.proj.')
_MMACTION2_BLOCK = (
    *((name, name) for name in _SAME),
    ('mlp.layers.0.0.', 'mlp.fc1.'),
    ('mlp.layers.1.', 'mlp.fc2.'),
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
    ours = rename(without_positions(state), _MMACTION2, _MMACTION2_BLOCK)
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
