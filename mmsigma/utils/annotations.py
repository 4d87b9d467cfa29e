"""Comparison of values in configs with the annotations of the arguments they are for."""

import collections.abc
import inspect
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np

_PLAIN = {
    int: 'an integer',
    float: 'a number',
    bool: 'True or False',
    str: 'a string',
    type(None): 'None',
    Path: 'a path',
}
_SEQUENCES = (list, tuple, set, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)


def annotations_of(target: Any) -> dict[str, Any]:
    """Return the annotations of a function's or class's arguments; those that cannot be evaluated are left out.

    Args:
        target: Function, or class, whose bases count as far as constructors pass further arguments on.
    """
    classes = inspect.getmro(target) if inspect.isclass(target) else ()
    functions = [vars(cls).get('__init__', object) for cls in classes] or [target]
    found: dict[str, Any] = {}
    for function in functions:
        try:
            hints = typing.get_type_hints(function)
            parameters = inspect.signature(function).parameters
        except (NameError, TypeError, ValueError, AttributeError):  # such as names that exist for type checkers alone
            continue
        defaults_to_none = [name for name, parameter in parameters.items() if parameter.default is None]
        hints |= {name: typing.Union[hints[name], None] for name in defaults_to_none if name in hints}
        found = {**hints, **found}
    found.pop('return', None)
    return found


def mismatch(value: Any, annotation: Any) -> str:
    """Describe what an argument should be instead of a value, empty if it may be right.

    Only numbers, strings, ``None``, literals, dicts, sequences of these and unions are judged; classes may be built
    from dicts, so all values are accepted for them.

    Args:
        value: Value in a config.
        annotation: Evaluated annotation of the argument.
    """
    return '' if _fits(value, annotation) else _describe(annotation)


def _fits(value: Any, annotation: Any) -> bool:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in arguments)
    if origin is typing.Literal:
        return value in arguments
    if annotation in _PLAIN or annotation is None:
        return _fits_plain(value, type(None) if annotation is None else annotation)
    if origin in _SEQUENCES or annotation in _SEQUENCES:
        return _fits_sequence(value, origin, arguments)
    if dict in (origin, annotation):
        return not isinstance(value, str | int | float | list | tuple | None)
    return True


def _fits_plain(value: Any, kind: type) -> bool:
    if isinstance(value, bool | np.bool_):
        return kind is bool
    if kind is int:
        return isinstance(value, int | np.integer)
    if kind is float:
        return isinstance(value, int | float | np.number)
    if kind is Path:
        return isinstance(value, str | Path)
    return isinstance(value, kind)


def _fits_sequence(value: Any, origin: Any, arguments: tuple[Any, ...]) -> bool:
    if isinstance(value, int | float | None):
        return False
    if isinstance(value, str):
        return origin in (collections.abc.Sequence, collections.abc.Iterable) and arguments == (str,)
    if not isinstance(value, list | tuple):
        return True
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    return not arguments or all(_fits(item, arguments[0]) for item in value)


def _describe(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return ' or '.join(dict.fromkeys(_describe(part) for part in arguments))
    if origin is typing.Literal:
        return f'one of {", ".join(map(repr, arguments))}'
    if annotation is None or annotation in _PLAIN:
        return _PLAIN[type(None) if annotation is None else annotation]
    if origin in _SEQUENCES or annotation in _SEQUENCES:
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return f'{len(arguments)} values'
        return f'a list, each item {_describe(arguments[0])}' if arguments else 'a list'
    return 'a dict' if dict in (origin, annotation) else getattr(annotation, '__name__', str(annotation))
