"""Building of models ready for use: from the name of a config, a config file, or the checkpoint of a run."""

import copy
import fnmatch
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModule
from mmengine.registry import Registry
from torch import nn

from mmsigma import compat
from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file, require_checkpoint
from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.registry import DATASETS, MODELS, TRANSFORMS
from mmsigma.utils.config import CONFIG_SUFFIXES, installed_configs, load_config, read_config_text, suggest_config
from mmsigma.utils.preflight import check_config

_REMEDY = 'give the config as well: load_model(CONFIG, CHECKPOINT)'


def list_configs(pattern: str = '*') -> list[str]:
    """List the configs that come with the package, by names such as ``'mmsigma::sigma/vitb_k400_dino'``.

    Args:
        pattern: Shell pattern of the part after ``::``, e.g. ``'sigma/*'`` or ``'*davis17*'``.
    """
    pattern = f'mmsigma::{pattern.removeprefix("mmsigma::")}'
    return [name for name in installed_configs() if fnmatch.fnmatchcase(name, pattern)]


def load_model(
    config_or_checkpoint: str | Path,
    checkpoint: str | Path | None = None,
    *,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
    trust: bool = False,
) -> nn.Module:
    """Build a frozen model in evaluation mode.

    ::

        load_model('mmsigma::sigma/vitb_k400_mlp', 'sigma.pth')   # weights of any known origin
        load_model('work_dirs/sigma/vitb_k400_mlp/epoch_800.pth')       # checkpoint of a run, with its own config
        load_model('mmsigma::finetune/vitb_k400')                 # initial weights

    Args:
        config_or_checkpoint: Config, as a file or by a name from :func:`list_configs`; or checkpoint written by a run,
            which contains the config it was trained with.
        checkpoint: Weights, including official files, of which all are loaded that the model has, with a warning if it
            has more; None for those that the config names or, with a warning, for initial weights.
        device: Device of the model; None for a GPU if there is one.
        options: Changes to the config, as of ``--cfg-options``.
        trust: Whether the checkpoint may execute code while it is loaded.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If a checkpoint is given with something that is not a config.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not match the model, or contains no usable
            config.
        mmsigma.utils.preflight.ConfigError: If the config has errors.
    """
    cfg, weights = open_config(config_or_checkpoint, checkpoint, options, trust=trust)
    if weights is None and not cfg.get('weights_in_config', False):
        MMLogger.get_current_instance().warning(
            f'{config_or_checkpoint}: no checkpoint was given, the weights are initial ones'
        )
        check_config(cfg)
        model: BaseModule = MODELS.build(cfg.model)
        with compat.quiet_initialisation():
            model.init_weights()
        frozen: nn.Module = model.to(default_device(device)).requires_grad_(False).eval()
        return frozen
    return build_inference_model(cfg, weights, device, trust=trust, with_head=None)


def open_config(
    config_or_checkpoint: str | Path,
    checkpoint: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    trust: bool = False,
) -> tuple[Config, str | Path | None]:
    """Read a config, or that of a checkpoint of a run, and say which weights go with it.

    Args:
        config_or_checkpoint: See :func:`load_model`.
        checkpoint: See :func:`load_model`.
        options: Changes to the config, as of ``--cfg-options``.
        trust: Whether the checkpoint may execute code while it is loaded.

    Returns:
        The config, and the file of the weights; without one, the ``default_weights`` of the config, or None. The config
        of a checkpoint contains its model, its datasets and plain values alone.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If a checkpoint is given with something that is not a config.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint contains no usable config.
    """
    name = str(config_or_checkpoint)
    if '::' in name or name.endswith(CONFIG_SUFFIXES):
        cfg = load_config(config_or_checkpoint, dict(options or {}))
        return cfg, checkpoint if checkpoint is not None else cfg.get('default_weights')
    if not Path(name).is_file():
        hint = suggest_config(name) or "; 'mmsigma list' shows the configs"
        raise FileNotFoundError(f'there is neither a config nor a checkpoint {name}{hint}')
    if checkpoint is not None:
        raise ValueError(
            f'{name} is not a config: give a .py file or a name such as mmsigma::sigma/vitb_k400_mlp. The checkpoint '
            f'of a run stands for its own config and weights: leave out {checkpoint}, or give - on the command line'
        )
    whole = config_of_checkpoint(config_or_checkpoint, options, trust=trust)
    used = {key: value for key, value in whole.items() if _is_plain(value)}
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        dataset = (whole.get(key) or {}).get('dataset')
        if isinstance(dataset, Mapping):
            _check_types(dataset, name, DATASETS, TRANSFORMS)
            used[key] = dict(dataset=dataset)
    return Config(dict(model=whole.model, **used)), config_or_checkpoint


def _is_plain(value: Any) -> bool:
    entries = value if isinstance(value, tuple | list) else [value]
    return all(isinstance(entry, str | int | float | None) for entry in entries)


def class_names_of_checkpoint(path: str | Path, *, trust: bool = False) -> list[str]:
    """Return the names of the classes that a checkpoint of a run was trained on, by label; empty if it has none."""
    meta = _meta_of(path, trust=trust).get('dataset_meta')
    names = meta.get('classes') if isinstance(meta, Mapping) else None
    return list(map(str, names)) if isinstance(names, list | tuple) else []


def _meta_of(path: str | Path, *, trust: bool) -> Mapping[str, Any]:
    content = load_checkpoint_file(path, trust=trust)
    meta = content.get('meta') if isinstance(content, Mapping) else None
    return meta if isinstance(meta, Mapping) else {}


def config_of_checkpoint(path: str | Path, options: Mapping[str, Any] | None = None, *, trust: bool = False) -> Config:
    """Read the config that a checkpoint of a run was trained with, without executing any of it.

    Building its ``model`` is safe as well: every ``type`` below it is a registered class. The rest of the config is not
    checked.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        mmsigma.checkpoints.files.CheckpointError: If it contains no config, or one with more than plain values or with
            types outside the registries.
    """
    text, remedy = _meta_of(path, trust=trust).get('cfg'), _REMEDY
    if not isinstance(text, str):
        raise CheckpointError(f'{path} carries no config; only checkpoints that a run has written do: {remedy}')
    try:
        cfg = Config(read_config_text(text))
    except (ValueError, SyntaxError) as error:
        raise CheckpointError(f'the config in {path} cannot be read ({error}): {remedy}') from error
    cfg.merge_from_dict(dict(options or {}))
    if not isinstance(cfg.get('model'), Mapping):
        raise CheckpointError(f'the config in {path} has no model: {remedy}')
    _check_types(cfg.model, path, MODELS)
    return cfg


def named_or_own_config(
    config: str | None, checkpoint: str | None, default: str, *, trust: bool = False
) -> tuple[str, str | None]:
    """Return what to open a model with: a named config, that of a run which its checkpoint contains, or a default.

    Args:
        config: Config that the user has named, or None.
        checkpoint: Checkpoint, or None if the config names its weights.
        default: Config for a checkpoint that contains none.
        trust: Whether the checkpoint may execute code while it is loaded.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
    """
    if config is None and checkpoint is not None and isinstance(_meta_of(checkpoint, trust=trust).get('cfg'), str):
        return checkpoint, None
    return config or default, checkpoint


def has_trained_masks(path: str | Path, *, trust: bool = False) -> bool:
    """Return whether a checkpoint of Mask-VOS has been trained on masks; True if that is not known.

    A run learns correspondence first. Until its first round of clustering, the decoder has its initial weights.
    """
    meta = _meta_of(path, trust=trust)
    epoch = meta.get('epoch')
    if not isinstance(meta.get('cfg'), str) or not isinstance(epoch, int):
        return True
    hooks = config_of_checkpoint(path, trust=trust).get('custom_hooks') or ()
    starts = [hook.get('start', 0) for hook in hooks if str(hook.get('type')).endswith('ReclusterHook')]
    return any(epoch > start for start in starts)


def _check_types(node: Any, path: str | Path, *registries: Registry) -> None:
    """Check that everything that would be built of a part of a checkpoint's config is a registered class."""
    if strange := [kind for kind in _types(node) if not _is_registered_class(kind, *registries)]:
        raise CheckpointError(f'the config in {path} names {strange[0]!r}, which is not a registered class: {_REMEDY}')


def _types(node: Any) -> Iterator[Any]:
    """Yield the values in a part of a config that decide what is built: ``type``, and ``_scope_``, its registry."""
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, (list, tuple)) else ()
    if isinstance(node, Mapping):
        yield from (node[key] for key in ('type', '_scope_') if key in node)
    for child in children:
        yield from _types(child)


def _is_registered_class(kind: Any, *ours: Registry) -> bool:
    """Return whether a name is that of a class in registries of ours or mmengine's.

    The registries' own look-up is not used: it imports and calls whatever a dotted name stands for, such as
    ``mmengine.load``, which unpickles.
    """
    if not isinstance(kind, str):
        return False
    scope, _, name = kind.rpartition('.')
    both = (registry for own in ours for registry in (own, own.parent))
    registries = [registry for registry in both if registry and scope in ('', registry.scope)]
    for registry in registries:
        registry.import_from_location()
    return any(inspect.isclass(registry.module_dict.get(name)) for registry in registries)


def default_device(device: str | None = None) -> str:
    """Return the device asked for, or else a GPU if there is one.

    Raises:
        ValueError: If there is no such device.
    """
    try:
        kind = torch.device(device or 'cpu').type
    except RuntimeError as error:
        raise ValueError(f'device {device!r} is none of cpu, cuda and cuda:<number>') from error
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ValueError(f'device {device!r} was asked for, but there is no GPU that torch can use: try cpu')
    return device or ('cuda' if torch.cuda.is_available() else 'cpu')


def build_frozen_model(
    cfg: Config, checkpoint: str | Path, device: str, *, trust: bool = False, with_head: bool | None = False
) -> nn.Module:
    """Build the model of a config, load its weights, and put it into evaluation mode on a device.

    Heads are left out by default, except in models that segment or embed frames with more than their backbone, which
    must be complete.

    Args:
        cfg: Config with a ``model``.
        checkpoint: Weights, including official files.
        device: Device to run on.
        trust: Whether the checkpoint may execute code while it is loaded.
        with_head: Whether the head is needed, so that the checkpoint must have it; None for all that it has, with a
            warning if the model has more.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not match the model.
    """
    settings, read = weights_of_encoder(cfg.model, checkpoint)
    model: nn.Module = MODELS.build(settings)
    if read:
        return model.to(device).requires_grad_(False).eval()
    works_alone = with_head or hasattr(model, 'new_inference_core') or hasattr(model, 'embed_stream')
    whole = works_alone and any(not name.startswith('backbone.') for name in model.state_dict())
    weights = load_weights(checkpoint, trust=trust)
    backbone_only = not whole and with_head is not None
    load_into_model(model, weights, origin=checkpoint, allow_missing=not whole, backbone_only=backbone_only)
    return model.to(device).requires_grad_(False).eval()


def weights_of_encoder(settings: Mapping[str, Any], checkpoint: str | Path) -> tuple[dict[str, Any], bool]:
    """Let an encoder of timm take its weights from a checkpoint, instead of from the hub, before the model is built.

    Args:
        settings: Config of a model.
        checkpoint: File with its weights.

    Returns:
        Config to build instead, and whether the encoder reads the checkpoint itself, whose names are timm's or DINO's.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
    """
    changed: dict[str, Any] = copy.deepcopy(dict(settings))
    backbone = changed.get('backbone') or {}
    if backbone.get('type') == 'TimmEncoder':
        backbone['weights'] = str(require_checkpoint(checkpoint))
        return changed, True
    if (backbone.get('encoder') or {}).get('type') == 'TimmEncoder':
        backbone['encoder']['weights'] = 'random'  # a part of the model, and of its checkpoints
    return changed, False


def build_inference_model(
    cfg: Config,
    checkpoint: str | Path | None,
    device: str | None = None,
    *,
    trust: bool = False,
    with_head: bool | None = False,
) -> nn.Module:
    """Build the frozen model of an inferencer.

    Args:
        cfg: Config, which is checked first.
        checkpoint: Weights; None if the config has ``weights_in_config``.
        device: Device to run on; None for a GPU if there is one.
        trust: Whether the checkpoint may execute code while it is loaded.
        with_head: Whether the head is needed, see :func:`build_frozen_model`.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the config requires a checkpoint and none is given.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not match the model.
    """
    check_config(cfg)
    device = default_device(device)
    if checkpoint is not None:
        return build_frozen_model(cfg, str(checkpoint), device, trust=trust, with_head=with_head)
    if not cfg.get('weights_in_config', False):
        raise ValueError(
            f'{cfg.filename} requires a checkpoint: name the file of its weights after it ("mmsigma download" lists '
            'published ones)'
        )
    model: nn.Module = MODELS.build(cfg.model)
    return model.to(device).requires_grad_(False).eval()
