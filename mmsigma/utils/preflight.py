"""Finding the faults of a config before anything is built from it.

mmengine ignores a misspelt top-level key, and notices a misspelt argument only when the object is built, after an
epoch in the worst case. Here every dict with a ``type`` is compared with the constructor it names, and the settings of
the Runner that have none, ``env_cfg`` for one, with what it reads of them.
"""

import difflib
import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.registry import Registry
from mmengine.runner import LogProcessor, Runner
from torch.utils.data import DataLoader

from mmsigma import registry

# Which registry a dict belongs to follows from where it stands; the last fitting word of the path counts.
_PLACES = {
    'model': registry.MODELS,
    'dataset': registry.DATASETS,
    'pipeline': registry.TRANSFORMS,
    'sampling': registry.TRANSFORMS,
    'sampler': registry.DATA_SAMPLERS,
    'batch_sampler': registry.DATA_SAMPLERS,
    'default_hooks': registry.HOOKS,
    'custom_hooks': registry.HOOKS,
    'train_cfg': registry.LOOPS,
    'val_cfg': registry.LOOPS,
    'test_cfg': registry.LOOPS,
    'optim_wrapper': registry.OPTIM_WRAPPERS,
    'optimizer': registry.OPTIMIZERS,
    'param_scheduler': registry.PARAM_SCHEDULERS,
    'val_evaluator': registry.METRICS,
    'test_evaluator': registry.METRICS,
    'visualizer': registry.VISUALIZERS,
    'vis_backends': registry.VISBACKENDS,
    'log_processor': registry.LOG_PROCESSORS,
    'init_cfg': registry.WEIGHT_INITIALIZERS,
    'collate_fn': registry.FUNCTIONS,
    'strategy': registry.STRATEGIES,
    'model_wrapper': registry.MODEL_WRAPPERS,
    'model_wrapper_cfg': registry.MODEL_WRAPPERS,
}
# Keys that the code building an object takes out before its constructor sees them.
_TAKEN_BEFORE = {
    'optim_wrapper': {'optimizer', 'constructor', 'paramwise_cfg', 'clip_grad'},
    'param_scheduler': {'convert_to_iter_based', 'begin', 'end', 'by_epoch'},
    'default_hooks': {'priority'},
    'custom_hooks': {'priority'},
}
_OUR_TOP_LEVEL = {
    'default_scope',
    'runner_type',
    'verbose',
    'trust_checkpoints',
    'compile',
    'float32_matmul_precision',
    'strategy',
    'sync_bn',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'load_backbone_only',
    'custom_imports',
}


# What may stand in dicts that need no ``type``.
_UNTYPED = {
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'log_processor': {*inspect.signature(LogProcessor).parameters},
}
_DATALOADER = {*inspect.signature(DataLoader).parameters, 'num_batch_per_epoch'}


class ConfigError(ValueError):
    """A config with faults; the message lists them all."""


def check_config(cfg: Any) -> None:
    """Check a whole config.

    Raises:
        ConfigError: With every fault found, each with the path of its key and the nearest valid name.
    """
    faults, scope = [*_top_level_faults(cfg)], cfg.get('default_scope')
    for key, value in cfg.items():
        if key in _PLACES or key in _UNTYPED or key.endswith('_dataloader'):
            faults += _faults(value, key, _PLACES.get(key), None if scope == 'mmsigma' else scope)
    if faults:
        raise ConfigError('the config has faults:\n  ' + '\n  '.join(faults))


def check_option(key: str, cfg: Any, *, is_variable: bool) -> None:
    """Check that a top-level key that a user sets, and that no file of the config assigns, means something.

    Args:
        key: The key, without dots.
        cfg: The config as it is without the key.
        is_variable: The key is to replace a value, not to be merged into a dict.

    Raises:
        ConfigError: If neither the config nor the Runner knows the key, with those like it; or if it replaces a
            variable too late, after all that depends on it was computed.
    """
    if is_variable and key in cfg and key not in _known_top_level():
        raise ConfigError(
            f'{key!r} would change nothing: no "{key} = ..." is in the config or its bases to be replaced, and what '
            'depends on it is computed by now. Give the dotted keys of what depends on it'
        )
    known = cfg.keys() | _known_top_level()
    if key not in known:
        near = difflib.get_close_matches(key, sorted(known), cutoff=0.5)
        hint = f'did you mean {" or ".join(map(repr, near))}?' if near else 'dotted keys reach into dicts'
        raise ConfigError(f'{key!r} is neither a variable of the config nor a setting of the Runner ({hint})')


def _known_top_level() -> set[str]:
    return (set(inspect.signature(Runner.__init__).parameters) | _OUR_TOP_LEVEL) - {'self', 'cfg'}


def _top_level_faults(cfg: Any) -> Iterator[str]:
    # Variables of a config are top-level keys too, so only what looks like a misspelt argument is a fault.
    known = _known_top_level()
    for key in cfg.keys() - known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.85)
        if near:
            yield f'{key}: not an argument of the Runner (did you mean {near[0]!r}?)'


def _faults(node: Any, path: str, kinds: Registry | None, scope: str | None = None) -> Iterator[str]:
    if isinstance(node, (list, tuple)):
        for index, item in enumerate(node):
            yield from _faults(item, f'{path}[{index}]', kinds, scope)
    if not isinstance(node, dict):
        return
    scope = node.get('_scope_', scope)  # set in what was inherited from another package, for all below
    if 'type' in node and kinds is not None:
        yield from _node_faults(node, path, kinds, scope)
    else:
        yield from _untyped_faults(node, path)
    names_hooks = path == 'default_hooks'  # its keys are names of hooks, `param_scheduler` for one
    for key, value in node.items():
        yield from _faults(value, f'{path}.{key}', kinds if names_hooks else _PLACES.get(key, kinds), scope)


def _node_faults(node: dict, path: str, kinds: Registry, scope: str | None) -> Iterator[str]:
    kind = node['type']
    if scope and isinstance(kind, str) and '.' not in kind:
        kind = f'{scope}.{kind}'
    try:
        target = _look_up(kind, kinds) if isinstance(kind, str) else kind
    except ImportError as error:
        yield f'{path}.type: the package of {kind!r} cannot be imported ({error})'
        return
    if target is None:
        near = _nearest(kind, _names(kinds))
        yield f'{path}.type: {kind!r} is not in the registry of {kinds.name}s{near}'
        return
    arguments, takes_others = _arguments(target)
    place = next((word for word in reversed(path.replace('[', '.').split('.')) if word in _TAKEN_BEFORE), '')
    for key in node.keys() - arguments - _TAKEN_BEFORE.get(place, set()) - {'type', '_scope_', '_delete_'}:
        name = getattr(target, '__name__', kind)
        near = _nearest(key, arguments, cutoff=0.85 if takes_others else 0.6)
        if near or not takes_others:
            yield f'{path}: {key!r} is not an argument of {name}{near}'


def _untyped_faults(node: dict, path: str) -> Iterator[str]:
    known = _DATALOADER if path.endswith('_dataloader') else _UNTYPED.get(path)
    if known is not None:
        for key in node.keys() - known - {'type', '_scope_', '_delete_'}:
            yield f'{path}: {key!r} is not a setting of it{_nearest(key, known)}'


def _look_up(kind: str, kinds: Registry) -> Any:
    try:
        return kinds.get(kind)
    except KeyError:
        return None


def _names(kinds: Registry) -> set[str]:
    names: set[str] = set()
    level: Registry | None = kinds
    while level is not None:
        level.import_from_location()
        names |= set(level.module_dict)
        level = level.parent
    return names


def _arguments(target: Any) -> tuple[set[str], bool]:
    """Names that a class or function can be called with, and whether it takes others as well."""
    if inspect.isfunction(target):
        return _parameters(target)
    names: set[str] = set()
    takes_others = False
    for cls in inspect.getmro(target)[:-1]:  # `object` takes nothing
        if '__init__' not in cls.__dict__:
            continue
        try:
            own, takes_others = _parameters(cls.__dict__['__init__'])
        except (TypeError, ValueError):
            return names, True
        names |= own - {'self'}
        # **kwargs usually go to the parent; where there is none, anything could be done with them
        if not takes_others:
            break
    return names, takes_others


def _parameters(function: Any) -> tuple[set[str], bool]:
    parameters = inspect.signature(function).parameters.values()
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return names, any(p.kind == p.VAR_KEYWORD for p in parameters)


def _nearest(word: str, names: set[str], cutoff: float = 0.6) -> str:
    near = difflib.get_close_matches(str(word), names, n=1, cutoff=cutoff)
    return f' (did you mean {near[0]!r}?)' if near else ''
