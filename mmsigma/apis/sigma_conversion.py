"""Conversion of checkpoints of SIGMA and VideoMAE between our names of parameters and those of others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from safetensors.torch import save_file
from torch import Tensor

from mmsigma import __version__
from mmsigma.apis.huggingface_export import Provenance, geometry_of, write_huggingface_folder
from mmsigma.apis.models import class_names_of_checkpoint, config_of_checkpoint
from mmsigma.checkpoints.files import CheckpointError, sha256_of
from mmsigma.checkpoints.io import load_weights
from mmsigma.checkpoints.key_mapping import Origin, from_our_names, origin_of, to_our_names
from mmsigma.checkpoints.official_names import check_complete
from mmsigma.io.atomic import write_atomically
from mmsigma.io.text import read_lines
from mmsigma.utils.config import load_config


def convert_sigma(
    src: Path, dst: Path, *, to: Origin = 'ours', trust: bool = False, part: str = 'all', num_tokens: int = 1568
) -> str:
    """Convert one file.

    Args:
        src: Checkpoint to read.
        dst: File to write; left unchanged if anything fails.
        to: Parameter names of ``dst``, one of ``ORIGINS``.
        trust: Whether to unpickle arbitrary objects in ``src``.
        part: ``'all'``, ``'backbone'``, or ``'norm_to_head'`` for a backbone whose final norm is that of a new head.
        num_tokens: Length of the position table that mmaction2 stores.

    Returns:
        Description of what was converted.

    Raises:
        FileNotFoundError: If there is no ``src``.
        RuntimeError: If ``src`` is damaged, unsafe, or not a checkpoint.
        KeyError: If a parameter is missing or has no counterpart.
        ValueError: If there is nothing to convert.
        OSError: If ``dst`` cannot be written.
    """
    given = load_weights(src, trust=trust)
    origin = origin_of(given)
    if origin == to and part == 'all':
        raise ValueError(f'the parameters in {src} already have the names of {to!r}: choose another --to')
    ours = to_our_names(given)
    check_complete(ours)
    chosen = choose_part(ours, part)
    description = describe_parameters(chosen)
    state = from_our_names(chosen, to, num_tokens)
    content: dict[str, Any]
    if dst.suffix == '.safetensors' or to == 'hf':
        content = dict(state)
    elif to == 'official':
        content = {'model': state}
    else:
        content = {'state_dict': state, 'meta': dict(source=src.name, kind=description, mmsigma_version=__version__)}
    write_atomically(dst, _writer(content, dst.suffix))
    return f'{description}\n{src} ({origin}) -> {dst} ({to})'


def convert_to_folder(
    src: Path,
    dst: Path,
    *,
    trust: bool = False,
    part: str = 'all',
    config: str | None = None,
    classes: Path | None = None,
    data: str | None = None,
    licence: str | None = None,
) -> str:
    """Write the folder that transformers loads; see :func:`convert_sigma`, and the options of the command.

    Raises:
        ValueError: If the sizes are not known, or there are not as many names as classes.
    """
    given = load_weights(src, trust=trust)
    cfg = read_config(src, config, trust=trust)
    origin, ours = origin_of(given), to_our_names(given)
    try:
        check_complete(ours)
    except KeyError as error:
        if cfg is None or cfg.model.type.rpartition('.')[2] in ('SIGMA', 'VideoClassifier'):
            raise
        raise ValueError(
            f'{src} has a model of type {cfg.model.type}, and transformers has nothing like it: "mmsigma export" '
            'writes it as a folder that mmsigma loads'
        ) from error
    chosen = choose_part(ours, part)
    if strange := [name for name in chosen if name.startswith(('head.prototypes.', 'target.'))]:
        raise KeyError(f'VideoMAE of transformers has no {strange[0]}: add --backbone-only')
    geometry = geometry_of(chosen, cfg)
    names = read_lines(classes) if classes else class_names_of_checkpoint(src, trust=trust)
    method = describe_parameters(chosen)
    text = None if cfg is None else Config(dict(model=cfg.model)).pretty_text
    about = Provenance(method, src.name, sha256_of(src), text, data or (cfg and cfg.get('data_root')), licence)
    write_huggingface_folder(dst, chosen, geometry, about, names if 'head.fc.weight' in chosen else ())
    size = ' x '.join(map(str, geometry.img_size))
    return (
        f'{method}\n{src} ({origin}) -> {dst} (hf)\n'
        f'{geometry.num_heads} heads, {geometry.num_frames} frames of {size}, as in {geometry.origin}'
    )


def read_config(src: Path, config: str | None, *, trust: bool) -> Config | None:
    """Return the config that was named, or the one in a checkpoint, or None."""
    if config:
        return load_config(config)
    try:
        return config_of_checkpoint(src, trust=trust)
    except CheckpointError:
        return None  # not of a run


def choose_part(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    """Select the part of our parameters that is to be converted.

    Raises:
        KeyError: If the final norm is requested but missing.
    """
    if part == 'all':
        return state
    backbone = {name: value for name, value in state.items() if name.startswith('backbone.')}
    if part == 'backbone':
        return backbone
    if 'backbone.norm.weight' not in backbone:
        raise KeyError('--norm-to-head requires a final norm, which only pre-training files have')
    return {name.replace('backbone.norm.', 'head.fc_norm.'): value for name, value in backbone.items()}


def describe_parameters(state: dict[str, Tensor]) -> str:
    """Describe our parameters: stage, target, size, prototypes or classes."""
    if any(name.startswith('neck.') for name in state):
        kind = 'VideoMAE pre-training (pixel target)'
        if any(name.startswith('target.mlp.') for name in state):
            kind = 'SIGMA pre-training (MLP target)'
        elif 'head.prototypes.0' in state:
            kind = 'SIGMA pre-training (frozen target)'
    else:
        kind = 'fine-tuning' if 'head.fc.weight' in state else 'backbone'
    parts = [kind, f'{sum(value.numel() for value in state.values()):,} parameters in {len(state)} tensors']
    for name, what in (('head.prototypes.0', 'prototypes'), ('head.fc.weight', 'classes')):
        if name in state:
            parts.append(f'{state[name].shape[0]} {what} of width {state[name].shape[1]}')
    return ', '.join(parts)


def _writer(content: dict[str, Any], suffix: str) -> Callable[[str], None]:
    """Return a function that writes ``content`` to a file, in the format of ``suffix``."""

    def write(name: str) -> None:
        if suffix == '.safetensors':
            # transformers requires the format in the metadata
            save_file({key: value.contiguous() for key, value in content.items()}, name, metadata={'format': 'pt'})
        else:
            torch.save(content, name)

    return write
