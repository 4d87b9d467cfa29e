"""Linear layers that are fast on any CPU."""

import functools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.ops.compiled_graphs import is_traced, opaque
from mmsigma.ops.precision import full_float32

CpuLinear = Literal['fastest', 'matmul', 'convolution']
"""How many float32 tokens are mapped on a CPU; the fastest way is measured once per process."""

_chosen: CpuLinear = 'fastest'
_measuring = threading.Lock()  # of two threads at once, each would be slowed down by the other
_MARGIN = 1.25  # by which the convolution has to be faster, so that noise does not decide


def linear(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Apply ``torch.nn.functional.linear``, as a 1 x 1 convolution for many float32 tokens where a CPU is faster so.

    PyTorch multiplies float32 matrices with MKL, which leaves half of the vector width of AMD processors unused, but
    convolves with oneDNN, which does not. On a Zen core with AVX-512, the convolution was measured to be 2.2 times
    faster forward and 1.9 times faster backward, with equal results up to rounding; on an Intel Xeon, up to 1.9 times
    slower in both together (``benchmarks/linear.py``). See :func:`choose_cpu_linear`.

    Args:
        inputs: Inputs ``(..., D)``.
        weight: Weight ``(K, D)``.
        bias: Bias ``(K,)``, or None.

    Returns:
        Outputs ``(..., K)``.
    """
    return _convolve(inputs, weight, bias) if _convolution_pays(inputs, weight) else F.linear(inputs, weight, bias)


def choose_cpu_linear(kind: CpuLinear) -> None:
    """Choose how :func:`linear` maps many float32 tokens on a CPU, from now on.

    The ways differ by rounding: runs whose bits are to agree between machines need the same one.

    Raises:
        ValueError: If there is no such way.
    """
    global _chosen
    if kind not in get_args(CpuLinear):
        raise ValueError(f'cpu_linear must be one of {", ".join(get_args(CpuLinear))}, got {kind!r}')
    _chosen = kind


def cpu_linear_in_use() -> CpuLinear:
    """Return how :func:`linear` maps many float32 tokens on a CPU; 'fastest' if that has not been measured yet."""
    if _chosen == 'fastest' and _convolution_is_faster.cache_info().currsize:
        return fastest_cpu_linear()
    return _chosen


def fastest_cpu_linear() -> CpuLinear:
    """Return the way that is faster on this machine, which is measured by the first call."""
    return 'convolution' if _is_convolution_faster() else 'matmul'


def _convolve(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    # channels last in memory, so that nothing needs to be copied
    image = inputs.reshape(1, 1, -1, inputs.shape[-1]).permute(0, 3, 1, 2)
    out = F.conv2d(image, weight[:, :, None, None], bias)
    return out.permute(0, 2, 3, 1).reshape(*inputs.shape[:-1], len(weight))


def _convolution_pays(inputs: Tensor, weight: Tensor) -> bool:
    if torch.compiler.is_compiling() or _chosen == 'matmul':
        return False
    rows = inputs.shape[:-1].numel()
    return (
        inputs.device.type == 'cpu'
        and inputs.dtype == torch.float32
        and rows >= 128
        and rows * weight.numel() >= 1 << 24
        and torch.backends.mkldnn.is_available()
        and (_chosen == 'convolution' or _is_convolution_faster())
    )


def _is_convolution_faster() -> bool:
    with _measuring:
        return _convolution_is_faster()


@functools.cache
def _convolution_is_faster() -> bool:
    # in a thread of its own, where no mode of the caller holds: autocast, no_grad, or counters of FLOPs
    with ThreadPoolExecutor(1) as pool:
        seconds = {function: pool.submit(_seconds_of, function).result() for function in (F.linear, _convolve)}
    return seconds[F.linear] > _MARGIN * seconds[_convolve]


def _seconds_of(function: Any) -> float:
    """Measure a step of a small layer, forward and backward: the best of several, which other processes delay least."""
    inputs, weight = (torch.ones(size, 256, requires_grad=True) for size in (320, 1024))
    seconds = []
    for _ in range(6):
        started = time.perf_counter()
        out = function(inputs, weight)
        torch.autograd.grad(out, (inputs, weight), torch.ones_like(out))
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def exact_linear(inputs: Tensor, weight: Tensor) -> Tensor:
    """Apply :func:`linear` without bias in float32 or float64, whatever autocast and TF32 say.

    Gradients are computed later, in whatever precision is set then.

    Args:
        inputs: Inputs ``(..., D)``, float32 or float64.
        weight: Weight ``(K, D)``, of the same type.

    Returns:
        Outputs ``(..., K)``.
    """
    if is_traced():  # switches of precision break a graph
        return _opaque_exact_linear(inputs, weight)
    with full_float32(inputs.device.type):
        return linear(inputs, weight)


def _run_exact_linear(inputs: Tensor, weight: Tensor) -> Tensor:
    return exact_linear(inputs, weight).contiguous()


def _like_exact_linear(inputs: Tensor, weight: Tensor) -> Tensor:
    return inputs.new_empty(*inputs.shape[:-1], len(weight))


def _gradients_of_factors(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
    inputs, weight = ctx.saved_tensors
    with torch.autocast(grad.device.type, enabled=False):  # it is traced where the forward pass is
        return grad @ weight, grad.flatten(0, -2).T @ inputs.flatten(0, -2)


_opaque_exact_linear = opaque('exact_linear', _run_exact_linear, _like_exact_linear, _gradients_of_factors)


class Linear(nn.Linear):
    """``nn.Linear`` that is computed by :func:`linear`."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map inputs ``(..., in_features)`` to outputs ``(..., out_features)``."""
        return linear(inputs, self.weight, self.bias)
