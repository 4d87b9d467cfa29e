"""Building the parts of an algorithm from their configs, with a check against the protocols of ``interfaces.py``."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from torch import nn

from mmsigma.registry import MODELS

GUIDE = 'docs/interfaces.md'  # in the repository

Part = TypeVar('Part')


class PartError(ValueError):
    """Raised if a part does not satisfy the protocol of its place; the message names the missing members."""


def build_part(config: Mapping[str, Any], interface: type[Part], key: str) -> Part:
    """Build a part from its config and check that it satisfies a protocol.

    Args:
        config: Config of the part, with a ``type``.
        interface: Protocol that the part has to satisfy.
        key: Key of the part in the config, such as ``'model.backbone'``, which errors name.

    Returns:
        The part.

    Raises:
        PartError: If the part lacks members of the protocol.
    """
    return require(MODELS.build(config), interface, key)


def require(part: Any, interface: type[Part], key: str) -> Part:
    """Return a part after checking that it satisfies a protocol.

    Args:
        part: Part to check.
        interface: Protocol that the part has to satisfy.
        key: Key of the part in the config, which errors name.

    Raises:
        PartError: If the part lacks members of the protocol; the message names these, the protocol, and the page that
            explains it.
    """
    if 'parameters' in members(interface) and not isinstance(part, nn.Module):
        raise PartError(
            f'{key}: {type(part).__name__} is not an nn.Module, as {interface.__name__} has to be: see {GUIDE}'
        )
    if missing := [name for name in members(interface) if not hasattr(part, name)]:
        needed = ', '.join(repr(name) for name in missing)
        raise PartError(
            f'{key}: {type(part).__name__} has no {needed}, which {interface.__name__} of mmsigma.models.interfaces '
            f'asks for: add what is missing, as {GUIDE} shows, or choose another part'
        )
    checked: Part = part
    return checked


def members(interface: type) -> list[str]:
    """Return the names of all members of a protocol, in the order of definition, inherited ones first."""
    found: dict[str, None] = {}
    for base in reversed(interface.__mro__):
        if base in (object, Protocol) or base.__module__ == 'typing':
            continue
        found |= dict.fromkeys(base.__dict__.get('__annotations__', ()))
        found |= {name: None for name, value in vars(base).items() if _is_method(name, value)}
    return list(found)


def _is_method(name: str, value: Any) -> bool:
    return callable(value) and (name == '__call__' or not name.startswith('_'))
