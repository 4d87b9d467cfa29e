"""Control of numeric precision: exact float32 products where they are needed, and what the processor computes fast."""

import platform
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Convert a tensor of half precision to float32; float32 and float64 stay as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def has_fast_bfloat16(device_type: str) -> bool:
    """Return whether products in bfloat16 are faster than in float32.

    Processors without instructions for them take fourteen times longer, for a training step of SIGMA with AVX2 alone.

    Args:
        device_type: Type of the device, such as ``'cpu'``; others than that are expected to be fast.
    """
    if device_type != 'cpu':
        return True
    if platform.machine().lower() in ('x86_64', 'amd64'):
        checks = ('_is_avx512_bf16_supported', '_is_amx_tile_supported')
        return any(getattr(torch.cpu, name, lambda: False)() for name in checks)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def full_float32(device_type: str) -> Iterator[None]:
    """Disable autocast and TF32 inside the block, so that float32 matrices are multiplied in float32.

    TF32 would round the factors of products and convolutions to 10 bits, as many as float16 has. Gradients are computed
    later, in whatever precision is set then.

    Args:
        device_type: Type of the device whose autocast is disabled, such as ``'cuda'``.
    """
    with ExitStack() as stack:
        for place in _PLACES:  # the switches of before 2.9 change several of these
            stack.callback(_restore, place, place.fp32_precision)
        for switch in _old_switches():
            before = switch.read()
            if before != switch.exact:
                switch.write(switch.exact)
                stack.callback(switch.write, before)
        for place in _PLACES:
            if place.fp32_precision not in ('ieee', 'none'):
                place.fp32_precision = 'ieee'
        stack.enter_context(torch.autocast(device_type, enabled=False))
        yield


NetworkPrecision = Literal['float32', 'amp', 'auto']


def check_precision(precision: NetworkPrecision) -> None:
    """Check the name of a precision.

    Raises:
        ValueError: If it is unknown.
    """
    if precision not in get_args(NetworkPrecision):
        raise ValueError(f"precision must be 'float32', 'amp' or 'auto', got {precision!r}")


@contextmanager
def network_precision(precision: NetworkPrecision, device_type: str) -> Iterator[None]:
    """Run a network inside the block in a precision of its own.

    Args:
        precision: ``'float32'`` disables autocast and TF32; ``'amp'`` follows them; ``'auto'`` follows them unless the
            processor has no instructions for bfloat16, where depthwise convolutions take ten times longer in it.
        device_type: Type of the device, such as ``'cpu'``.
    """
    exact = precision == 'float32' or (precision == 'auto' and not has_fast_bfloat16(device_type))
    with full_float32(device_type) if exact else nullcontext():
        yield


# PyTorch has switches of before and since 2.9. After the one kind has been used, some of the other raise an error when
# they are read, and so do products on a GPU. So what was set is changed by the kind that set it.
_ALL: Any = torch.backends
_IS_NEW = hasattr(_ALL.cuda.matmul, 'fp32_precision')
_PLACES = (_ALL.cuda.matmul, _ALL.cudnn.conv, _ALL.mkldnn.matmul, _ALL.mkldnn.conv) if _IS_NEW else ()


def _restore(place: Any, value: str) -> None:
    if place.fp32_precision != value:
        place.fp32_precision = value


class _Switch(NamedTuple):
    read: Callable[[], Any]
    write: Callable[[Any], None]
    exact: Any  # the value without TF32


_PRODUCTS = _Switch(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, 'highest')
_CONVOLUTIONS = _Switch(
    lambda: torch.backends.cudnn.allow_tf32, lambda value: setattr(torch.backends.cudnn, 'allow_tf32', value), False
)


def _old_switches() -> Iterator[_Switch]:
    """Yield the switches of before 2.9 that can be read; since then, only those that say the same as the new ones."""
    for switch, place in zip((_PRODUCTS, _CONVOLUTIONS), _PLACES or (None, None), strict=False):
        try:
            if place is None or place.fp32_precision == 'tf32':
                switch.read()
                yield switch
        except RuntimeError:
            pass
