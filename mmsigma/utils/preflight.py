"""Detection of errors in a config before anything is built from it.

mmengine ignores a misspelt top-level key, and detects a misspelt argument only when the object is built, in the worst
case after an epoch. Here, every dict with a ``type`` is compared with the constructor it names: names of arguments,
types of plain values, and ranges of numbers. Settings of the Runner without a type, such as ``env_cfg``, are compared
with the keys that the Runner reads.
"""

import difflib
import importlib.util
import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from mmengine.registry import Registry
from mmengine.runner import LogProcessor, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmsigma import registry
from mmsigma.utils.annotations import annotations_of, mismatch
from mmsigma.utils.ranges import arguments_out_of_range, items_of, settings_out_of_range

# Registry of a dict by its position: the last word of its path that is listed here decides.
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
# Keys that are taken out by the code that builds an object, before its constructor is called.
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
    'cpu_linear',
    'strategy',
    'sync_bn',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'load_backbone_only',
    'custom_imports',
}


# Keys allowed in dicts that need no ``type``.
_UNTYPED = {
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'env_cfg.mp_cfg': {'mp_start_method', 'opencv_num_threads'},
    'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'log_processor': {*inspect.signature(LogProcessor).parameters},
}
# Types of some of these keys, and of those of dataloaders
_TYPES: dict[str, dict[str, Any]] = {
    'randomness': dict(seed=int | None, diff_rank_seed=bool, deterministic=bool),
    'auto_scale_lr': dict(base_batch_size=int, enable=bool),
    'dataloader': dict(
        batch_size=int | None,
        num_workers=int,
        prefetch_factor=int | None,
        pin_memory=bool,
        persistent_workers=bool,
        drop_last=bool,
    ),
    'optimizer': dict(lr=float, weight_decay=float, betas=tuple[float, float], momentum=float),
    'clip_grad': dict(max_norm=float),
}
_BACKENDS = dict(TensorboardVisBackend='tensorboard', WandbVisBackend='wandb')  # and their packages
_DATALOADER = {*inspect.signature(DataLoader).parameters, 'num_batch_per_epoch'}
# Types of settings of the Runner
_TOP_LEVEL_TYPES: dict[str, Any] = {
    'log_level': Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] | int,
    'work_dir': Path | None,
    'load_from': Path | None,
    'resume': bool | Literal['auto'],
    'custom_hooks': list | None,
    'find_unused_parameters': bool,
    'load_backbone_only': bool,
    'cpu_linear': Literal['fastest', 'matmul', 'convolution'],
    'sync_bn': Literal['torch', 'mmcv'] | None,
    'compile': bool | dict,
    **dict.fromkeys(
        ('env_cfg', 'randomness', 'default_hooks', 'log_processor', 'auto_scale_lr', 'model_wrapper_cfg'), dict | None
    ),
}


class ConfigError(ValueError):
    """A config with errors; the message lists all of them."""


def check_config(cfg: Any) -> None:
    """Check a whole config.

    Raises:
        ConfigError: If there are errors; the message lists each with the path of its key and the nearest valid name.
    """
    faults = [*_top_level_faults(cfg), *_missing_parts(cfg), *_missing_packages(cfg)]
    for key, value in cfg.items():
        faults += _undefined_numbers(value, key)
        faults += settings_out_of_range(value, key)
    scope = cfg.get('default_scope')
    for key, value in cfg.items():
        if key in _PLACES or key in _UNTYPED or key.endswith('_dataloader'):
            faults += _faults(value, key, _PLACES.get(key), None if scope == 'mmsigma' else scope)
    if faults:
        raise ConfigError('the config has errors:\n  ' + '\n  '.join(faults))


def check_option(key: str, cfg: Any, *, is_variable: bool) -> None:
    """Check that a key that a user sets in the finished config has an effect.

    Args:
        key: Key, with or without dots.
        cfg: Config without the key.
        is_variable: Whether the key replaces a value instead of being merged into a dict.

    Raises:
        ConfigError: If neither the config nor the Runner knows the key; the message suggests similar ones. Also if the
            key changes a variable too late, after all that depends on it has been computed.
    """
    root, dot, rest = key.partition('.')
    if root in cfg and root not in known_top_level() and not is_variable:
        places = [f'{place}{dot}{rest}' for place in places_of(cfg[root], cfg)]
        remedy = f'set {" or ".join(places[:3])}' if places else 'set the keys of what depends on it'
        raise ConfigError(
            f'{key!r} would have no effect: what depends on {root} has already been computed from it; {remedy} instead'
        )
    if is_variable and key in cfg and key not in known_top_level():
        raise ConfigError(
            f'{key!r} would have no effect: neither the config nor its bases contain "{key} = ..." to replace, and '
            'what depends on it has already been computed. Set the dotted keys of what depends on it instead'
        )
    known = cfg.keys() | known_top_level()
    if not dot and root not in known:  # misspelt roots of dotted keys are found with all other errors of the config
        near = difflib.get_close_matches(root, sorted(known), cutoff=0.5)
        hint = f'did you mean {" or ".join(map(repr, near))}?' if near else 'use dotted keys for entries of dicts'
        raise ConfigError(f'{root!r} is neither a variable of the config nor a setting of the Runner ({hint})')


def places_of(value: Any, cfg: Any) -> list[str]:
    """Return the dotted keys of the settings of the Runner that have a value, for instance a pipeline."""
    found: list[str] = []

    def look(node: Any, path: str) -> None:
        if node == value:
            found.append(path)
        elif isinstance(node, (dict, list, tuple)):
            for name, item in node.items() if isinstance(node, dict) else enumerate(node):
                look(item, f'{path}.{name}')

    for key in known_top_level() & cfg.keys():
        look(cfg[key], key)
    return sorted(found)


def known_top_level() -> set[str]:
    """Return the settings of the Runner, and ours beside them."""
    return (set(inspect.signature(Runner.__init__).parameters) | _OUR_TOP_LEVEL) - {'self', 'cfg'}


def _top_level_faults(cfg: Any) -> Iterator[str]:
    # Variables of a config are top-level keys as well, so only a key that looks like a misspelt argument is an error.
    known = known_top_level()
    for key in cfg.keys() - known:
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.85)
        if near:
            yield f'{key}: not an argument of the Runner (did you mean {near[0]!r}?)'
    for key in cfg.keys() & _TOP_LEVEL_TYPES.keys():
        if expected := mismatch(cfg[key], _TOP_LEVEL_TYPES[key]):
            yield f'{key}: expected {expected}, got {cfg[key]!r}'


def _missing_parts(cfg: Any) -> Iterator[str]:
    """Find what is given and empty, though a run needs it."""
    if 'model' in cfg and not isinstance(cfg['model'], (dict, nn.Module)):
        yield f'model: a dict with a type is needed, got {cfg["model"]!r}'
    loaders = {key: cfg.get(key) for key in ('train_dataloader', 'val_dataloader', 'test_dataloader')}
    loaders['test_cfg.bank_dataloader'] = (cfg.get('test_cfg') or {}).get('bank_dataloader')
    for key, loader in loaders.items():
        if loader is None or isinstance(loader, DataLoader):
            continue
        if not isinstance(loader, dict):
            yield f'{key}: a dict is needed, got {loader!r}'
            continue
        if key != 'train_dataloader' and loader.get('drop_last'):
            yield f'{key}.drop_last: the last videos would have no part in the scores'
        dataset = loader.get('dataset')
        if dataset is None or isinstance(dataset, (str, int, float)):
            yield f'{key}.dataset: a dict with a type is needed, got {dataset!r}'
        while isinstance(dataset, dict):
            if key != 'train_dataloader' and dataset.get('test_mode') is False:
                yield f'{key}.dataset.test_mode: unreadable videos would be replaced by others in the scores'
            if dataset.get('pipeline', ...) in ([], None, ()):
                yield f'{key}: the pipeline of its dataset is empty: nothing would read the videos'
            dataset = dataset.get('dataset')


def _missing_packages(cfg: Any) -> Iterator[str]:
    """Find backends of the visualizer whose package is not installed; what mmengine says of them is out of date."""
    backends = (cfg.get('visualizer') or {}).get('vis_backends') or ()
    for backend in backends if isinstance(backends, (list, tuple)) else ():
        kind = backend.get('type') if isinstance(backend, dict) else None
        package = _BACKENDS.get(kind) if isinstance(kind, str) else None
        if package and importlib.util.find_spec(package) is None:
            yield f"visualizer.vis_backends: {kind} needs {package}: pip install 'mmsigma[{package}]'"


def _undefined_numbers(node: Any, path: str) -> Iterator[str]:
    """Find NaN, which is no setting of anything."""
    if isinstance(node, float) and math.isnan(node):
        yield f'{path}: it is NaN'
    for key, value in items_of(node):
        yield from _undefined_numbers(value, f'{path}.{key}')


def _faults(node: Any, path: str, kinds: Registry | None, scope: str | None = None) -> Iterator[str]:
    if isinstance(node, (list, tuple)):
        for index, item in enumerate(node):
            yield from _faults(item, f'{path}[{index}]', kinds, scope)
    if not isinstance(node, dict):
        return
    scope = node.get('_scope_', scope)  # set in dicts inherited from another package, valid for everything below
    if 'type' in node and kinds is not None:
        yield from _node_faults(node, path, kinds, scope)
    yield from _untyped_faults(node, path)
    names_hooks = path == 'default_hooks'  # its keys are names of hooks, for instance `param_scheduler`
    for key, value in node.items():
        # what is in a hook, such as a handler of traces, is no hook
        inherited = None if kinds is registry.HOOKS and not names_hooks else kinds
        yield from _faults(value, f'{path}.{key}', kinds if names_hooks else _PLACES.get(key, inherited), scope)


def _node_faults(node: dict[str, Any], path: str, kinds: Registry, scope: str | None) -> Iterator[str]:
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
    if not inspect.isclass(target) and not inspect.isfunction(target):
        yield f'{path}.type: {kind!r} is neither a class nor a function of Python'
        return
    arguments, takes_others = _arguments(target)
    place = next((word for word in reversed(path.replace('[', '.').split('.')) if word in _TAKEN_BEFORE), '')
    for key in node.keys() - arguments - _TAKEN_BEFORE.get(place, set()) - {'type', '_scope_', '_delete_'}:
        name = getattr(target, '__name__', kind)
        near = _nearest(key, arguments, cutoff=0.85 if takes_others else 0.6)
        if near or not takes_others:
            yield f'{path}: {key!r} is not an argument of {name}{near}'
    annotations = annotations_of(target)
    ours = getattr(target, '__module__', '').startswith('mmsigma')
    if ours:
        yield from arguments_out_of_range(node, path)
    for key in node.keys() & annotations.keys() & arguments:
        expected = mismatch(node[key], annotations[key])
        # annotations of other packages may be too narrow, as that of AmpOptimWrapper's loss_scale
        if expected and (ours or (isinstance(node[key], (str, float)) and 'a string' not in expected)):
            yield f'{path}.{key}: expected {expected}, got {node[key]!r}'


def _untyped_faults(node: dict[str, Any], path: str) -> Iterator[str]:
    known = _DATALOADER if path.endswith('_dataloader') else _UNTYPED.get(path)
    if known is not None:
        for key in node.keys() - known - {'type', '_scope_', '_delete_'}:
            yield f'{path}: {key!r} is not a valid key{_nearest(key, known)}'
    types = _TYPES.get('dataloader' if path.endswith('_dataloader') else path.rpartition('.')[2], {})
    for key in node.keys() & types.keys():
        if expected := mismatch(node[key], types[key]):
            yield f'{path}.{key}: expected {expected}, got {node[key]!r}'


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
    """Return the names that a class or function accepts as arguments, and whether it accepts others as well."""
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
        # **kwargs are usually passed on to the parent class; without one, their use is unknown
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
