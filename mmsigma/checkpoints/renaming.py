"""Rules for renaming parameters, and checks that all files of VideoMAE share."""

import re
from collections.abc import Sequence

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.ops import sincos_position_table

Rules = Sequence[tuple[str, str]]


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


def without_positions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop the position tables after checking that they are the fixed ones, which we compute instead."""
    for name, table in state.items():
        if name.endswith(('pos_embed', 'position_embeddings')):
            fixed = sincos_position_table(*table.shape[-2:])
            if not torch.allclose(table.float().reshape(fixed.shape), fixed, atol=1e-3 if table.itemsize < 4 else 1e-6):
                raise KeyError(f'{name} is not the fixed sine-cosine table: learnt positions are not supported')
    return {name: value for name, value in state.items() if not name.endswith(('pos_embed', 'position_embeddings'))}
