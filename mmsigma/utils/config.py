"""Loading of config files, with command-line values that take effect before a file computes anything from them."""

import ast
import difflib
import traceback
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger

from mmsigma import compat
from mmsigma.utils.preflight import ConfigError, check_option, known_top_level, places_of

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
"""Endings of config files, which are those that mmengine reads."""


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and its bases.

    An option without a dot, such as ``data_root`` or ``epochs``, replaces the value of that top-level variable wherever
    a file of the inheritance chain assigns it, *before* the file computes anything from it. All other options are
    merged into the finished config, as in mmengine. A variable that the file computes nothing from is warned about.

    Args:
        path: Config file, or ``package::path`` for a config of an installed package.
        options: Dotted keys and values, as of ``--cfg-options``.

    Returns:
        The config with all options applied.

    Raises:
        FileNotFoundError: If there is no such file or package.
        mmsigma.utils.preflight.ConfigError: If the file is something else, such as a checkpoint; if an option without a
            dot is neither a variable that a file assigns nor a setting of the Runner, if its value is not one of the
            choices of a file, or if the file or the options set ``trust_checkpoints``, which authors of configs must
            not decide.
    """
    path = find_config(path)
    if path.suffix not in CONFIG_SUFFIXES:
        raise ConfigError(
            f'{path} is not a config: give a .py file or a name such as mmsigma::sigma/vitb_k400_mlp, and a checkpoint '
            'after it'
        )
    options = dict(options or {})
    variables = {key: value for key, value in options.items() if '.' not in key and not isinstance(value, dict)}
    with compat.bases_from_installed_packages(), compat.overridden_variables(variables) as found:
        cfg = _read(path, variables)
    for key in found:
        _warn_without_effect(path, key, variables[key], cfg)
    for key in options:
        if key not in found:
            check_option(key, cfg, is_variable=key in variables)
    for key, value in options.items():
        if key not in found:
            _merge(cfg, key, value)
    if cfg.get('trust_checkpoints'):
        raise ConfigError(
            f'{path}: trust_checkpoints lets checkpoints execute code, and a config must not allow that: remove it, '
            'and pass --trust-checkpoint on the command line if you trust the origin of the file'
        )
    return cfg


def _warn_without_effect(path: Path, key: str, value: Any, cfg: Config) -> None:
    """Warn if a variable was replaced that nothing is computed from, in a file without bases, as exports are."""
    if key in known_top_level() or '_base_' in path.read_text(encoding='utf-8'):
        return
    before = _read(path, {})
    old, rest = before.get(key), [{**one.to_dict(), key: None} for one in (before, cfg)]
    # flags and None are everywhere
    places = [] if old is None or isinstance(old, bool) or old == value else places_of(old, before)
    if rest[0] == rest[1] and places:
        MMLogger.get_current_instance().warning(
            f'{path}: {key}={value!r} has changed nothing else, as its values are written out. These still have '
            f'{old!r}: {", ".join(places[:6])}{", ..." * (len(places) > 6)}; set them instead'
        )


def _read(path: Path, variables: dict[str, Any]) -> Config:
    try:
        return Config.fromfile(path)
    except KeyError as error:
        # a table in a file, looked up by a variable
        for name, value in variables.items():
            if value in error.args:
                known = ', '.join(_choices_of(path, name)) or f'see the comments in {path} and its bases'
                raise ConfigError(f'{value!r} is not a choice of {name}: {known}') from error
        raise _read_error(path, error, variables) from error
    except (FileNotFoundError, ConfigError):
        raise
    except Exception as error:  # a config is a program
        raise _read_error(path, error, variables) from error


def _choices_of(path: Path, name: str) -> list[str]:
    """Return the keys of the table ``dict(...)[name]`` in a config or a base of it."""
    tree, bases = ast.parse(path.read_text(encoding='utf-8')), list[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call):
            key = node.slice.attr if isinstance(node.slice, ast.Attribute) else getattr(node.slice, 'id', None)
            if key == name:
                return [keyword.arg for keyword in node.value.keywords if keyword.arg]
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            found = ast.literal_eval(node.value)
            bases = [found] if isinstance(found, str) else found
    files = [path.parent / base for base in bases if '::' not in base]
    return next((choices for file in files if (choices := _choices_of(file, name))), [])


def _read_error(path: Path, error: Exception, variables: dict[str, Any]) -> ConfigError:
    lines = [str(frame.lineno) for frame in traceback.extract_tb(error.__traceback__) if frame.filename == '<string>']
    place = f' (line {lines[-1]} of it or of a base)' if lines else ''
    options = ', '.join(f'{key}={value!r}' for key, value in variables.items())
    given = f' (with {options})' if options else ''
    return ConfigError(f'{path} cannot be read{given}: {type(error).__name__}: {error}{place}')


def _merge(cfg: Config, key: str, value: Any) -> None:
    try:
        cfg.merge_from_dict({key: value})
    except (KeyError, IndexError, TypeError, AssertionError) as error:
        reason = error.args[0] if error.args else type(error).__name__
        raise ConfigError(f'{key}={value!r} cannot be set: {reason}') from error


def find_config(path: str | Path) -> Path:
    """Locate a config file.

    ``package::path`` is looked up among the configs installed with the package; ``.py`` may be left out there.

    Raises:
        FileNotFoundError: If there is no such file or package.
    """
    found = Path(path)
    if '::' in str(path):
        package = str(path).partition('::')[0]
        if not compat.installed_config(f'{package}::').is_dir():  # a checkout that only is on the path
            raise FileNotFoundError(
                f'{path}: the configs of {package} are not installed: run "pip install -e ." in its folder, or give '
                'the path of the file'
            )
        found = compat.installed_config(str(path))
        found = found if found.suffix == '.py' else found.with_name(f'{found.name}.py')
    if not found.is_file():
        raise FileNotFoundError(f'there is no config {path}{suggest_config(path)}')
    return found


def installed_configs() -> list[str]:
    """List the configs that come with the package, by names such as ``'mmsigma::sigma/vitb_k400_dino'``."""
    root = compat.installed_config('mmsigma::')
    names = sorted(str(path.relative_to(root).with_suffix('')) for path in root.glob('*/**/*.py'))
    return [f'mmsigma::{name}' for name in names if name[0] != '_']


def suggest_config(path: str | Path) -> str:
    """Return ``: did you mean mmsigma::...?``, or nothing if no installed config has a similar name."""
    wanted = str(path).removeprefix('configs/').removesuffix('.py')
    wanted = wanted if '::' in wanted else f'mmsigma::{wanted}'
    near = difflib.get_close_matches(wanted, installed_configs(), n=1, cutoff=0.8)
    return f': did you mean {near[0]}?' if near else ''


def read_config_text(text: str) -> dict[str, Any]:
    """Parse the text of a finished config, which consists of lines ``name = value``, without executing anything.

    Args:
        text: Text as of ``Config.pretty_text``: constants, lists, tuples, dicts and calls of ``dict``.

    Returns:
        Values by name.

    Raises:
        SyntaxError: If the text is not Python.
        ValueError: If it contains anything else; the message gives the line.
    """
    values: dict[str, Any] = {}
    for statement in ast.parse(text).body:
        if not isinstance(statement, ast.Assign) or not all(isinstance(t, ast.Name) for t in statement.targets):
            raise ValueError(f'line {statement.lineno} is not an assignment of a value to a name')
        value = _plain_value(statement.value)
        values.update({target.id: value for target in statement.targets if isinstance(target, ast.Name)})
    return values


def _plain_value(node: ast.expr) -> Any:
    """Evaluate an expression of constants, lists, tuples and dicts."""
    match node:
        case ast.Call(func=ast.Name(id='dict'), args=[], keywords=keywords) if all(word.arg for word in keywords):
            return {str(word.arg): _plain_value(word.value) for word in keywords}
        case ast.Call(func=ast.Name(id='dict'), args=[ast.Dict() as content], keywords=[]):  # of keys like 'a.b'
            return _plain_value(content)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {_plain_value(key): _plain_value(value) for key, value in pairs if key is not None}
        case ast.List(elts=items):
            return [_plain_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_plain_value(item) for item in items)
        case ast.Name(id='inf' | 'nan' as name):
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_plain_value(operand)
        case ast.Constant(value=value):
            return value
    raise ValueError(
        f'line {node.lineno} contains more than constants, lists, tuples and dicts: {ast.unparse(node)[:60]}'
    )
