"""Control of numeric precision: exact float32 products where they are needed, and what the processor computes fast."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor


def at_least_float32(tensor: Tensor) -> Tensor:
    """Convert a tensor of half precision to float32; float32 and float64 stay as they are."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


@contextmanager
def full_float32(device_type: str) -> Iterator[None]:
    """Disable autocast and TF32 inside the block, so that float32 matrices are multiplied in float32.

    TF32 would round the factors of products and convolutions to 10 bits, as many as float16 has. Gradients are computed
    later, in whatever precision is set then.

    Args:
        device_type: Type of the device whose autocast is disabled, such as ``'cuda'``.
    """
    with ExitStack() as stack:
        for read, write, exact in _switches():
            before = read()
            if before not in (exact, 'none'):
                write(exact)
                stack.callback(write, before)
        stack.enter_context(torch.autocast(device_type, enabled=False))
        yield


def _switches() -> Iterator[tuple[Callable[[], Any], Callable[[Any], None], Any]]:
    """Yield how TF32 is read and set for products and convolutions, and its value for exact results.

    PyTorch has two interfaces, of before and since 2.9. After one of them has been used, some of the other raises an
    error when it is read, and so do products on a GPU. So what was set is changed by the interface that set it.
    """
    backends: Any = torch.backends
    is_new = hasattr(backends.cuda.matmul, 'fp32_precision')
    products = (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, 'highest')
    convolutions = (*_accessors(backends.cudnn, 'allow_tf32'), False)
    for switch, counterpart in ((products, backends.cuda.matmul), (convolutions, backends.cudnn.conv)):
        try:
            if not is_new or counterpart.fp32_precision == 'tf32':
                switch[0]()
                yield switch
        except RuntimeError:  # the newer one has been used
            pass
    if is_new:
        for backend in (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv):
            yield *_accessors(backend, 'fp32_precision'), 'ieee'


def _accessors(holder: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], None]]:
    return partial(getattr, holder, name), partial(setattr, holder, name)
