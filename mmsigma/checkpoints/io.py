"""Parameters of checkpoints of any known origin, and strict loading of them into models."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file
from mmsigma.checkpoints.frame_encoder_names import INNER, fit_key_encoder, is_network_alone, take_teacher
from mmsigma.checkpoints.key_mapping import to_our_names

_WRAPPER = '(?:_orig_mod|_fsdp_wrapped_module|_forward_module|_checkpoint_wrapped_module)'
# added to names by DDP, FSDP, DeepSpeed, Lightning, activation checkpointing and torch.compile
_LEADING_WRAPPERS = re.compile(rf'^(?:(?:module|{_WRAPPER})\.)+')
_INNER_WRAPPERS = re.compile(rf'(?<=\.){_WRAPPER}\.')
_REMEDY = 'Give the config that it was trained with, which a run keeps beside its checkpoints, or another checkpoint'
_HOLDERS = ('model.', 'net.', 'network.')  # attributes of training classes, such as Lightning's, that hold the model


class NonFiniteError(CheckpointError):
    """A checkpoint with NaN or infinite values, from a run that had diverged."""


def load_weights(
    path: str | Path, keys: Sequence[str] = ('state_dict', 'model', 'module', 'teacher'), *, trust: bool = False
) -> dict[str, Tensor]:
    """Read the parameters of a checkpoint.

    Args:
        path: Checkpoint file.
        keys: Keys under which parameters are looked for, in this order; a file that consists of parameters alone is
            accepted as well.
        trust: Whether to unpickle arbitrary objects, see :func:`load_checkpoint_file`.

    Returns:
        Parameters by name.

    Raises:
        FileNotFoundError: If there is no such file.
        CheckpointError: If it is damaged or unsafe, or contains no mapping of names to tensors.
    """
    return find_weights(load_checkpoint_file(path, trust=trust), path, keys)


def find_weights(
    content: Any, path: str | Path, keys: Sequence[str] = ('state_dict', 'model', 'module', 'teacher')
) -> dict[str, Tensor]:
    """Find the parameters in the content of a checkpoint, without the prefixes that wrappers such as DDP add to names.

    Args:
        content: Content of the checkpoint.
        path: Checkpoint file, for messages.
        keys: Keys under which parameters are looked for, see :func:`load_weights`.

    Returns:
        Parameters by name.

    Raises:
        CheckpointError: If there are none, or two have the same name.
    """
    for key in keys:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        found = sorted(map(str, content))[:8] if isinstance(content, dict) else type(content).__name__
        raise CheckpointError(f'{path} contains no parameters under any of the keys {list(keys)}; found {found}')
    state = {_without_wrappers(name): value for name, value in content.items()}
    while holder := next((holder for holder in _HOLDERS if state and all(n.startswith(holder) for n in state)), None):
        state = {_without_wrappers(name.removeprefix(holder)): value for name, value in state.items()}
    if len(state) < len(content):
        raise CheckpointError(f'{path} contains parameters twice, with and without the prefix of a wrapper')
    return state


def _without_wrappers(name: str) -> str:
    return _INNER_WRAPPERS.sub('', _LEADING_WRAPPERS.sub('', name))


def check_values(state: dict[str, Tensor], own: dict[str, Tensor], origin: str | Path) -> None:
    """Check that parameters are real, finite numbers, as a model needs them.

    Args:
        state: Parameters by name.
        own: Parameters of the model by name, which tell where it needs integers.
        origin: Origin of the parameters, for messages.

    Raises:
        NonFiniteError: If values are NaN or infinite.
        CheckpointError: If they are complex, or integers where the model has fractions.
    """
    numbers = {name: value for name, value in state.items() if name in own and own[name].is_floating_point()}
    if sparse := [name for name, value in numbers.items() if value.layout != torch.strided]:
        raise CheckpointError(f'{origin} contains {len(sparse)} sparse parameters, for example {sparse[0]}')
    if wrong := [f'{name}: {value.dtype}' for name, value in numbers.items() if not value.is_floating_point()]:
        raise CheckpointError(
            f'{origin} contains {len(wrong)} parameters of another type than floating-point numbers, as quantised or '
            f'complex models have: {"; ".join(wrong[:5])}'
        )
    if bad := [name for name, value in numbers.items() if not value.to(torch.float32).isfinite().all()]:
        raise NonFiniteError(
            f'{origin} contains NaN or infinite values in {len(bad)} of {len(numbers)} parameters, for example '
            f'{bad[0]}: the run that wrote it had diverged, so use an earlier checkpoint'
        )


def check_optimizer(state: dict[str, Any], origin: str | Path) -> None:
    """Check that the state of an optimiser, or of several by name, is finite.

    Raises:
        NonFiniteError: If it contains NaN or infinite values.
    """
    todo: list[Any] = [state]
    while todo:
        node = todo.pop()
        if isinstance(node, Tensor):
            if node.is_floating_point() and not node.isfinite().all():
                raise NonFiniteError(
                    f"{origin} contains NaN or infinite values in the optimiser's state: use an earlier checkpoint"
                )
        elif isinstance(node, dict):
            todo += node.values()
        elif isinstance(node, list | tuple):
            todo += node


def load_state_strictly(
    module: nn.Module, state: dict[str, Tensor], *, origin: str | Path, allow_missing: bool = False
) -> None:
    """Load parameters into a module, and fail with their names where they do not match.

    Args:
        module: Module to load into.
        state: Parameters by name.
        origin: Origin of the parameters, for messages.
        allow_missing: Whether to accept parameters that only the module or only ``state`` has, with a warning that
            counts them.

    Raises:
        CheckpointError: If shapes differ, if no name matches, if names differ and ``allow_missing`` is not set, or if
            values are not finite, see :func:`check_values`.
    """
    own = module.state_dict()
    common = own.keys() & state.keys()
    wrong = [
        f'{n}: {tuple(state[n].shape)} instead of {tuple(own[n].shape)}'
        for n in own
        if n in common and own[n].shape != state[n].shape
    ]
    if wrong:
        raise CheckpointError(
            f'{origin} was made for a model of another size ({len(wrong)} parameters differ): '
            f'{"; ".join(wrong[:5])}. {_REMEDY}'
        )
    missing, unexpected = sorted(own.keys() - common), sorted(state.keys() - common)
    difference = f'missing {len(missing)} {missing[:5]}, unexpected {len(unexpected)} {unexpected[:5]}'
    if not common or ((missing or unexpected) and not allow_missing):
        raise CheckpointError(f'{origin} does not fit the model: {difference}. {_REMEDY}')
    if missing or unexpected:
        MMLogger.get_current_instance().warning(f'{origin} fits only in part: {difference}')
    check_values(state, own, origin)
    module.load_state_dict(state, strict=False)


def load_into_model(
    model: nn.Module,
    state: dict[str, Tensor],
    *,
    origin: str | Path,
    allow_missing: bool = True,
    backbone_only: bool = False,
) -> None:
    """Load parameters of any known origin into one of our models.

    Official names (SIGMA, VideoMAE) and those of mmaction2, Hugging Face and others are recognised. From a pre-training
    checkpoint, a model without a decoder takes the backbone, without the final norm if it has none, as the official
    releases do.

    Args:
        model: Model to load into.
        state: Parameters by name.
        origin: Origin of the parameters, for messages.
        allow_missing: Whether to accept that the model or ``state`` has parameters that the other lacks, with a warning
            that counts them. The backbone must be complete in any case, except for a final norm if more than the
            backbone is loaded.
        backbone_only: Whether to load the backbone alone even if ``state`` has more.

    Raises:
        CheckpointError: If the names are of no known origin, shapes differ, the backbone is incomplete or not the
            model's, or names differ and ``allow_missing`` is not set.
    """
    try:
        state = to_our_names(state)
    except KeyError as error:
        raise CheckpointError(f'{origin}: {error.args[0]}') from error
    own = model.state_dict()
    state = fit_key_encoder(take_teacher(state, own), own)
    pretrained = any(name.startswith('neck.') for name in state) and not any(name.startswith('neck.') for name in own)
    # training of a key encoder may start from its bare network, without the key projection
    root = INNER if allow_missing and is_network_alone(state, own) else 'backbone.'
    needed = [name for name in own if name.startswith(root)]
    take_backbone = backbone_only or pretrained
    if take_backbone or allow_missing:
        _check_backbone(needed, state, origin, root, optional_norm=not take_backbone)
    if take_backbone:
        state = {name: state[name] for name in needed}
        allow_missing = allow_missing or backbone_only
    load_state_strictly(model, state, origin=origin, allow_missing=allow_missing)


def _check_backbone(
    needed: Sequence[str], state: dict[str, Tensor], origin: str | Path, root: str, optional_norm: bool
) -> None:
    """Check that ``state`` has exactly the backbone parameters ``needed``, up to optional ones and later stages."""
    # the norm is only used in pre-training, and fine-tuned models have none; skips belong to the decoder of Mask-VOS;
    # fc is the classifier of ResNets
    optional = (f'{root}norm.', 'backbone.skip', f'{root}fc.')
    missing = [name for name in needed if name not in state and not (optional_norm and name.startswith(optional))]
    if missing:
        theirs = sorted(name for name in state if name not in needed)[:5]
        raise CheckpointError(
            f'{origin} lacks {len(missing)} parameters of the backbone: {missing[:5]}; '
            f'it has others: {theirs}. {_REMEDY}'
        )
    others = _parameters_of_another(needed, state, root, optional)
    if needed and others:
        raise CheckpointError(
            f'{origin} was made for another backbone, for example a deeper one: {len(others)} of its parameters are '
            f'not in the model, {others[:5]}. {_REMEDY}'
        )


def _parameters_of_another(
    needed: Sequence[str], state: dict[str, Tensor], root: str, optional: tuple[str, ...]
) -> list[str]:
    """List the backbone parameters of ``state`` that the model lacks and that are not a ResNet's later stages."""

    def stage(name: str) -> str:
        return name.removeprefix(root).split('.')[0]

    stages = {stage(name) for name in needed}
    later = {f'layer{number}' for number in range(2, 5)} - stages if 'layer1' in stages else set()
    others = sorted(name for name in state.keys() - set(needed) if name.startswith('backbone.'))
    return [name for name in others if not name.startswith(optional) and stage(name) not in later]
