"""Sinkhorn-Knopp assignment of samples to equally used prototypes.

The plan ``Q[n, k] = u[n] * exp(scores[n, k] / epsilon) * v[k]`` is the entropic optimal transport between samples of
equal mass and prototypes of equal mass (Cuturi 2013; SwAV; SIGMA, ECCV 2024). Only ``log v``, one number per
prototype, has to be kept: the row scaling ``u`` is what a softmax over prototypes does. There are two ways to it:

* In the log domain, every iteration is one pass ``softmax(scores / epsilon + log v)`` over blocks of rows whose column
  sums update ``log v``. No second matrix of the size of the scores is ever stored.
* With a kernel, ``exp(scores / epsilon)`` times a factor per column, every further iteration is two products of it with
  a vector. On a CPU, where exponentials take most of the time, soft codes are computed so, in the memory of the codes,
  and hard ones while the kernel is small. Scores of too wide a range are computed again in the log domain.

Neither overflows or underflows for any scores that float32 can represent: after the first iteration every prototype has
a sample with at least 1 / (N K) of its mass. Processes exchange one vector of K or K + 1 numbers per iteration, and may
have different numbers of samples.

In all private functions, a row of the scores is a sample and a column is a prototype.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from mmsigma.ops.compiled_graphs import is_traced, opaque

# Elements of a block of rows: large enough to hide the launch of an operation, small enough for the cache of a CPU.
_BLOCK_ELEMENTS = {'cpu': 1 << 20, 'cuda': 1 << 26}
# The same of a kernel: 16 MB, since products with vectors are so fast that their start counts.
_KERNEL_ELEMENTS = 1 << 22
# Hard codes are computed without a kernel that would be larger, in bytes.
_LARGEST_KERNEL = 1 << 28
# Cells below 1e-38 are 0 in a kernel. They could matter if the product of the largest weights of columns and of rows is
# larger than this.
_KERNEL_RANGE = 1e25


@torch.no_grad()
def sinkhorn(
    scores: Tensor,
    epsilon: float = 0.05,
    num_iters: int = 10,
    group: dist.ProcessGroup | None = None,
    *,
    local: bool = False,
) -> Tensor:
    """Compute soft assignment codes in which all prototypes are used equally.

    Each iteration gives every prototype the mass 1 / K, then every sample the mass 1 / N. With ``num_iters=0``, the
    codes are ``softmax(scores / epsilon)``. With an initialised process group, the result equals that of one process
    with the samples of all ranks. Computations are in float32 (float64 for float64 scores), even under autocast.

    Args:
        scores: Similarities of samples and prototypes, ``(N, K)``, not yet divided by ``epsilon``. N may differ between
            ranks; K may not.
        epsilon: Strength of the entropic regularisation, positive.
        num_iters: Number of iterations.
        group: Process group; None for the default group.
        local: Whether to ignore other processes, so that a single rank can call this function.

    Returns:
        Codes ``(N, K)``, float32 (float64 for float64 scores); every row sums to 1.

    Raises:
        ValueError: If ``scores`` is not a matrix or ``epsilon`` is not positive.
    """
    if is_traced() and group is None:
        return _opaque_sinkhorn(scores, epsilon, num_iters, local)
    with torch.autocast(scores.device.type, enabled=False):
        codes = torch.empty(scores.shape, dtype=_dtype(scores), device=scores.device)
        found = _solve(scores, epsilon, num_iters, partial(_all_reduce, group=group, local=local), codes)
        if found.weights is not None and _normalise_rows(codes, found.weights):
            return codes
        rows = _rows_per_block(scores)
        for block, out in zip(scores.split(rows), codes.split(rows), strict=True):
            _logits(block, found.log_v, epsilon, out)
            torch.softmax(out, dim=1, out=out)
    return codes


@torch.no_grad()
def sinkhorn_labels(
    scores: Tensor,
    epsilon: float = 0.05,
    num_iters: int = 10,
    group: dist.ProcessGroup | None = None,
    *,
    local: bool = False,
) -> Tensor:
    """Compute hard assignments, ``sinkhorn(...).argmax(dim=1)``, without storing codes of more than 256 MB.

    Args:
        scores: Similarities of samples and prototypes, ``(N, K)``, not yet divided by ``epsilon``.
        epsilon: Strength of the entropic regularisation, positive.
        num_iters: Number of iterations.
        group: Process group; None for the default group.
        local: Whether to ignore other processes, so that a single rank can call this function.

    Returns:
        Prototype index of every sample, ``(N,)``, int64.

    Raises:
        ValueError: If ``scores`` is not a matrix or ``epsilon`` is not positive.
    """
    if is_traced() and group is None:
        return _opaque_sinkhorn_labels(scores, epsilon, num_iters, local)
    with torch.autocast(scores.device.type, enabled=False):
        log_v = _solve(scores, epsilon, num_iters, partial(_all_reduce, group=group, local=local)).log_v
        labels = torch.empty(len(scores), dtype=torch.int64, device=scores.device)
        rows = _rows_per_block(scores)
        buffer = log_v.new_empty(min(rows, len(scores)), scores.shape[1])
        for block, out in zip(scores.split(rows), labels.split(rows), strict=True):
            torch.argmax(_logits(block, log_v, epsilon, buffer[: len(block)]), dim=1, out=out)
    return labels


class _Solution(NamedTuple):
    """``log v`` ``(K,)``, up to a constant that no assignment depends on, and the weights of the kernel's columns.

    Weights ``(K,)`` are None if there is no kernel.
    """

    log_v: Tensor
    weights: Tensor | None = None


def _solve(
    scores: Tensor, epsilon: float, num_iters: int, reduce: Callable[..., Tensor], kernel: Tensor | None = None
) -> _Solution:
    """Find ``log v`` after ``num_iters`` iterations.

    ``reduce(tensor, op)`` combines a tensor over all processes in place. ``kernel``, of the shape of the scores, may be
    overwritten; without it, one is made if it is small.
    """
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f'scores must have the shape (samples, prototypes), got {tuple(scores.shape)}')
    if epsilon <= 0:
        raise ValueError(f'epsilon must be positive, got {epsilon}')
    dtype = _dtype(scores)
    if num_iters == 0:
        return _Solution(torch.zeros(scores.shape[1], dtype=dtype, device=scores.device))
    top, most = _column_maxima(scores, dtype, reduce)
    # The first iteration scales prototypes before any sample is scaled: a log-sum-exp over each column, stabilised by
    # the column's maximum.
    log_v = top / -epsilon
    if scores.device.type == 'cpu' and (kernel is not None or most * len(log_v) * dtype.itemsize <= _LARGEST_KERNEL):
        kernel = log_v.new_empty(scores.shape) if kernel is None else kernel
        weights = _iterate_with_kernel(scores, epsilon, num_iters, reduce, log_v, kernel)
        if weights is not None:
            return _Solution(log_v + weights.log(), weights)
    return _Solution(_iterate_in_log_domain(scores, epsilon, num_iters, reduce, log_v))


def _column_maxima(scores: Tensor, dtype: torch.dtype, reduce: Callable[..., Tensor]) -> tuple[Tensor, float]:
    """Return the largest score of each prototype, ``(K,)``, and the largest number of samples, over all processes."""
    # a process without samples must still take part in the reductions
    found = torch.full((scores.shape[1] + 1,), -torch.inf, dtype=dtype, device=scores.device)
    if len(scores):
        torch.amax(scores, dim=0, out=found[:-1]) if scores.dtype == dtype else found[:-1].copy_(scores.amax(dim=0))
    found[-1] = len(scores)
    reduce(found, dist.ReduceOp.MAX)
    return found[:-1], float(found[-1]) if scores.device.type == 'cpu' else 0.0


def _iterate_in_log_domain(
    scores: Tensor, epsilon: float, num_iters: int, reduce: Callable[..., Tensor], log_v: Tensor
) -> Tensor:
    """Return ``log v`` ``(K,)``, beginning with the negative maxima of the columns."""
    rows = _rows_per_block(scores)
    buffer = log_v.new_empty(min(rows, len(scores)), len(log_v))
    mass = torch.zeros_like(log_v)  # column sums of the plan over all blocks, (K,)
    for block in scores.split(rows):
        mass += _logits(block, log_v, epsilon, buffer[: len(block)]).exp_().sum(dim=0)
    log_v = log_v - reduce(mass, dist.ReduceOp.SUM).log()
    # Every further iteration scales the samples by a softmax over each row, then the prototypes by the column sums.
    for _ in range(num_iters - 1):
        mass.zero_()
        for block in scores.split(rows):
            plan = _logits(block, log_v, epsilon, buffer[: len(block)])
            mass += torch.softmax(plan, dim=1, out=plan).sum(dim=0)
        log_v = log_v - reduce(mass, dist.ReduceOp.SUM).log()
    return log_v


def _iterate_with_kernel(
    scores: Tensor, epsilon: float, num_iters: int, reduce: Callable[..., Tensor], log_v: Tensor, kernel: Tensor
) -> Tensor | None:
    """Write ``exp(scores / epsilon + log_v)`` to ``kernel`` and return the weights of its columns, ``(K,)``.

    Returns None, in all processes alike, if cells that were rounded to 0 could matter.
    """
    rows = _rows_per_block(scores, _KERNEL_ELEMENTS)
    # sums over all processes: of each column, and of the largest reciprocal of a row
    sums = log_v.new_zeros(len(log_v) + 1)
    for block, out in zip(scores.split(rows), kernel.split(rows), strict=True):
        sums[:-1] += _logits(block, log_v, epsilon, out).exp_().sum(dim=0)
    weights = reduce(sums, dist.ReduceOp.SUM)[:-1].reciprocal()
    shares = log_v.new_zeros(len(scores))
    for _ in range(num_iters - 1):
        sums = torch.zeros_like(sums)
        for block, part in zip(kernel.split(rows), shares.split(rows), strict=True):
            sums[:-1].addmv_(block.T, torch.mv(block, weights, out=part).reciprocal_())
        if len(shares):
            sums[-1] = shares.amax()
        weights = reduce(sums, dist.ReduceOp.SUM)[:-1].reciprocal()
        if not weights.amax() * sums[-1] < _KERNEL_RANGE:  # or NaN
            return None
    return weights


def _normalise_rows(kernel: Tensor, weights: Tensor) -> bool:
    """Weight the columns of a kernel and let rows sum to 1; False if cells that were rounded to 0 could matter."""
    largest = weights.new_zeros(())  # reciprocal of a row
    for block in kernel.split(_rows_per_block(kernel, _KERNEL_ELEMENTS)):
        shares = (block @ weights).reciprocal_()
        block.mul_(weights).mul_(shares[:, None])
        if len(shares):
            largest = torch.maximum(largest, shares.amax())
    return bool(weights.amax() * largest < _KERNEL_RANGE)


def _dtype(scores: Tensor) -> torch.dtype:
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def _logits(block: Tensor, log_v: Tensor, epsilon: float, out: Tensor) -> Tensor:
    """Write ``block / epsilon + log_v`` for a block of rows ``(n, K)`` to ``out``."""
    return torch.add(log_v, block.to(log_v.dtype), alpha=1 / epsilon, out=out)


def _rows_per_block(scores: Tensor, elements: int | None = None) -> int:
    elements = elements or _BLOCK_ELEMENTS.get(scores.device.type, _BLOCK_ELEMENTS['cuda'])
    return max(1, elements // max(1, scores.shape[1]))


def _all_reduce(tensor: Tensor, op: dist.ReduceOp.RedOpType, group: dist.ProcessGroup | None, local: bool) -> Tensor:
    # Look the group up at run time: a model may be rebuilt under another world size than it was created under.
    if not local and dist.is_available() and dist.is_initialized():
        dist.all_reduce(tensor, op=op, group=group)
    return tensor


# torch.compile would unroll the passes over blocks of rows, and exchanges between processes break its graph.
def _run_sinkhorn(scores: Tensor, epsilon: float, num_iters: int, local: bool) -> Tensor:
    return sinkhorn(scores, epsilon, num_iters, local=local)


def _run_sinkhorn_labels(scores: Tensor, epsilon: float, num_iters: int, local: bool) -> Tensor:
    return sinkhorn_labels(scores, epsilon, num_iters, local=local)


def _like_codes(scores: Tensor, epsilon: float, num_iters: int, local: bool) -> Tensor:
    return scores.new_empty(scores.shape, dtype=torch.float64 if scores.dtype == torch.float64 else torch.float32)


def _like_labels(scores: Tensor, epsilon: float, num_iters: int, local: bool) -> Tensor:
    return scores.new_empty(len(scores), dtype=torch.int64)


_opaque_sinkhorn = opaque('sinkhorn', _run_sinkhorn, _like_codes)
_opaque_sinkhorn_labels = opaque('sinkhorn_labels', _run_sinkhorn_labels, _like_labels)
