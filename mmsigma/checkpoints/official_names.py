"""Conversion between our parameter names and those of the official SIGMA and VideoMAE releases."""

import re

from torch import Tensor

from mmsigma.checkpoints.renaming import rename, require_biases, reverse

# (official prefix, our prefix); the first match wins, so longer official prefixes come first.
_PRETRAIN = (
    ('encoder.', 'backbone.'),
    ('encoder_to_decoder.', 'neck.embed.'),
    ('decoder.', 'neck.'),
    ('mask_token', 'neck.mask_token'),
    ('prototypes', 'head.prototypes.0'),
    ('head.', 'target.mlp.'),
)
_FINETUNE = (
    ('patch_embed.', 'backbone.patch_embed.'),
    ('blocks.', 'backbone.blocks.'),
    ('fc_norm.', 'head.fc_norm.'),
    ('head.', 'head.fc.'),
)
_LINEAR = ('weight', 'bias')
_BLOCK = (
    *(f'{layer}.{part}' for layer in ('norm1', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2') for part in _LINEAR),
    *('attn.qkv.weight', 'attn.q_bias', 'attn.v_bias'),
)


def from_official(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of an official pre-training or fine-tuning checkpoint to our names.

    Args:
        state: Parameters of SIGMA (with the MLP or DINO target) or VideoMAE under their official names.

    Returns:
        Parameters under our names.

    Raises:
        KeyError: If a name belongs to neither, or if a query or value bias is missing, which some third-party
            conversions lose.
    """
    rules = _PRETRAIN if any(name.startswith('encoder.') for name in state) else _FINETUNE
    renamed = rename(state, rules)
    require_biases(renamed, 'an official model')
    return renamed


def to_official(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename our parameters to their official names, the inverse of :func:`from_official`.

    Raises:
        KeyError: If a parameter has no official name, such as further levels of prototypes.
    """
    rules = _PRETRAIN if any(name.startswith('neck.') for name in state) else _FINETUNE
    return rename(state, reverse(rules))


def check_complete(state: dict[str, Tensor]) -> None:
    """Check that parameters under our names form a complete official model or a complete backbone.

    Raises:
        KeyError: If names are missing or unexpected; the message lists them.
    """
    expected = _expected_names(state)
    missing, unexpected = sorted(expected - state.keys()), sorted(state.keys() - expected)
    if missing or unexpected:
        raise KeyError(
            f'the file does not contain a complete model: missing {len(missing)} {missing[:8]}, '
            f'unexpected {len(unexpected)} {unexpected[:8]}'
        )


def _expected_names(state: dict[str, Tensor]) -> set[str]:
    layers, names = ['backbone.patch_embed.proj'], _block_names(state, 'backbone')
    if all(name.startswith('backbone.') for name in state):
        layers += ['backbone.norm'] * ('backbone.norm.weight' in state)
    elif not any(name.startswith('neck.') for name in state):
        layers += ['head.fc_norm', 'head.fc']
    else:
        names |= _block_names(state, 'neck') | {'neck.embed.weight', 'neck.mask_token'}
        layers += ['backbone.norm', 'neck.norm', 'neck.head']
        projection = _numbers(state, r'target\.mlp\.(\d+)\.')
        layers += [f'target.mlp.{number}' for number in range(0, max(projection, default=-1) + 1, 2)]
        if projection or 'head.prototypes.0' in state or not _predicts_pixels(state):
            names.add('head.prototypes.0')
    return names | {f'{layer}.{part}' for layer in layers for part in _LINEAR}


def _block_names(state: dict[str, Tensor], part: str) -> set[str]:
    depth = max(_numbers(state, rf'{part}\.blocks\.(\d+)\.'), default=0) + 1
    return {f'{part}.blocks.{number}.{name}' for number in range(depth) for name in _BLOCK}


def _numbers(state: dict[str, Tensor], pattern: str) -> set[int]:
    return {int(match[1]) for name in state if (match := re.match(pattern, name))}


def _predicts_pixels(state: dict[str, Tensor]) -> bool:
    prediction, tube = state.get('neck.head.bias'), state.get('backbone.patch_embed.proj.weight')
    return prediction is None or tube is None or len(prediction) == tube[0].numel()
