"""Ranges of settings that are accepted in silence, to do nothing, or to fail after hours."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Values that a number may have.

    Attributes:
        smallest: Lower bound.
        largest: Upper bound; infinity stands for any finite number.
        beside: A value outside that has a meaning of its own.
        open: Whether the lower bound is excluded.
    """

    smallest: float
    largest: float = math.inf
    beside: float | None = None
    open: bool = False

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, float)) or value == self.beside:
            return True
        above = value > self.smallest if self.open else value >= self.smallest
        return above and value <= self.largest and math.isfinite(value)

    def __str__(self) -> str:
        start = f'a number above {self.smallest}' if self.open else f'a number from {self.smallest}'
        end = ', not infinite' if math.isinf(self.largest) else f' to {self.largest}'
        return f'{start}{end}{f", or {self.beside}" if self.beside is not None else ""}'


_COUNT, _POSITIVE, _FRACTION, _WEIGHT = Range(1), Range(0, open=True), Range(0, 1), Range(0)
# Settings of the Runner and of other packages: the end of their keys
_SETTINGS = {
    r'optimizer\.(lr|weight_decay|momentum|eps)': _WEIGHT,
    r'optimizer\.betas\.[01]': Range(0, 0.999999),
    r'clip_grad\.(max_norm|clip_value)': _POSITIVE,
    r'optim_wrapper\.accumulative_counts': _COUNT,
    r'param_scheduler(\.\d+)?\.(begin|warmup|min_ratio|eta_min)': _WEIGHT,
    r'param_scheduler(\.\d+)?\.end': _COUNT,
    r'paramwise_cfg\.layer_decay': Range(0, 1, open=True),
    r'randomness\.seed': _WEIGHT,
    r'base_batch_size': _COUNT,
    r'_hooks\.\w+\.(interval|max_keep_ckpts)': Range(1, beside=-1),
    r'train_cfg\.(max_epochs|max_iters|val_interval)': _COUNT,
    r'_dataloader\.(batch_size|prefetch_factor)': _COUNT,
    r'_dataloader\.num_workers': _WEIGHT,
    r'log_processor\.window_size': _COUNT,
}
# Arguments of this package, whose names mean the same everywhere
_COUNTS = """
    size img_size patch_size patch_stride tubelet_size stride cell_stride grid reference_grid clip_len frame_interval
    num_frames num_clips num_crops num_segments samples_per_video in_channels out_channels key_dims embed_dims num_heads
    k num_prototypes num_cycles max_objects
"""
_FRACTIONS = 'flip prob dropout conv_dropout drop_path_rate label_smoothing momentum max_share'
_ARGUMENTS = {
    **dict.fromkeys(_COUNTS.split(), _COUNT),
    **dict.fromkeys('num_iters num_context max_distort'.split(), _WEIGHT),
    **dict.fromkeys(_FRACTIONS.split(), _FRACTION),
    **dict.fromkeys('temperature cycle_temperature gamma epsilon std fps'.split(), _POSITIVE),
}


def items_of(node: Any) -> Iterable[tuple[Any, Any]]:
    """Return keys and values of a dict, list or tuple, of anything else none."""
    if isinstance(node, dict):
        return node.items()
    return enumerate(node) if isinstance(node, (list, tuple)) else ()


def settings_out_of_range(node: Any, path: str) -> Iterator[str]:
    """Find settings of the Runner and of other packages that are out of range.

    Args:
        node: Value in a config.
        path: Its key.
    """
    for key, value in items_of(node):
        place = f'{path}.{key}'
        if isinstance(value, (int, float)):
            allowed = [allowed for end, allowed in _SETTINGS.items() if re.search(f'{end}$', place)]
            yield from _fault(value, place, allowed)
        yield from settings_out_of_range(value, place)


def arguments_out_of_range(node: dict[str, Any], path: str) -> Iterator[str]:
    """Find arguments of a class of this package that are out of range.

    Args:
        node: Arguments by name.
        path: Key of the dict.
    """
    for name in node.keys() & _ARGUMENTS.keys():
        values = node[name] if isinstance(node[name], (list, tuple)) else [node[name]]
        for value in values:
            yield from _fault(value, f'{path}.{name}', [_ARGUMENTS[name]])


def _fault(value: Any, place: str, ranges: list[Range]) -> Iterator[str]:
    for allowed in ranges:
        if value not in allowed:
            yield f'{place}: expected {allowed}, got {value!r}'
