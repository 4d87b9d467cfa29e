"""Sinkhorn-Knopp assignment of samples to equally used prototypes.

The plan ``Q[n, k] = u[n] * exp(scores[n, k] / epsilon) * v[k]`` is the entropic optimal transport between samples of
equal mass and prototypes of equal mass (Cuturi 2013; SwAV; SIGMA, ECCV 2024). Only ``log v``, one number per
prototype, has to be kept: the row scaling ``u`` is what a softmax over prototypes does. Every iteration is therefore
one pass ``softmax(scores / epsilon + log v)`` over blocks of rows whose column sums update ``log v``:

* no second matrix of the size of the scores is ever stored,
* no overflow or underflow occurs for any scores that float32 can represent: after the first iteration every prototype
  has a sample with at least 1 / (N K) of its mass,
* processes exchange one vector of K numbers per iteration, and may have different numbers of samples.

In all private functions, a row of the scores is a sample and a column is a prototype.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor

from mmsigma.ops.compiled_graphs import is_traced, opaque

# Elements of a block of rows: large enough to hide the launch of an operation, small enough for the cache of a CPU.
_BLOCK_ELEMENTS = {'cpu': 1 << 20, 'cuda': 1 << 26}


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
        log_v = _prototype_potential(scores, epsilon, num_iters, partial(_all_reduce, group=group, local=local))
        codes = torch.empty(scores.shape, dtype=log_v.dtype, device=scores.device)
        rows = _rows_per_block(scores)
        for block, out in zip(scores.split(rows), codes.split(rows), strict=True):
            _logits(block, log_v, epsilon, out)
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
    """Compute hard assignments, ``sinkhorn(...).argmax(dim=1)``, without storing the codes.

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
        log_v = _prototype_potential(scores, epsilon, num_iters, partial(_all_reduce, group=group, local=local))
        labels = torch.empty(len(scores), dtype=torch.int64, device=scores.device)
        rows = _rows_per_block(scores)
        buffer = log_v.new_empty(min(rows, len(scores)), scores.shape[1])
        for block, out in zip(scores.split(rows), labels.split(rows), strict=True):
            torch.argmax(_logits(block, log_v, epsilon, buffer[: len(block)]), dim=1, out=out)
    return labels


def _prototype_potential(scores: Tensor, epsilon: float, num_iters: int, reduce: Callable[..., Tensor]) -> Tensor:
    """Return ``log v`` ``(K,)`` after ``num_iters`` iterations, up to a constant that no assignment depends on.

    ``reduce(tensor, op)`` combines a tensor over all processes.
    """
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f'scores must have the shape (samples, prototypes), got {tuple(scores.shape)}')
    if epsilon <= 0:
        raise ValueError(f'epsilon must be positive, got {epsilon}')
    dtype = torch.float64 if scores.dtype == torch.float64 else torch.float32
    num_prototypes = scores.shape[1]
    log_v = torch.zeros(num_prototypes, dtype=dtype, device=scores.device)
    if num_iters == 0:
        return log_v

    rows = _rows_per_block(scores)
    buffer = log_v.new_empty(min(rows, len(scores)), num_prototypes)
    # The first iteration scales prototypes before any sample is scaled: a log-sum-exp over each column, stabilised by
    # the column's maximum `top` (K,).
    if len(scores):
        top = scores.amax(dim=0).to(dtype)
    else:  # a rank without samples must still take part in the reductions
        top = torch.full_like(log_v, -torch.inf)
    top = reduce(top, dist.ReduceOp.MAX)
    log_v = top / -epsilon
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


def _logits(block: Tensor, log_v: Tensor, epsilon: float, out: Tensor) -> Tensor:
    """Write ``block / epsilon + log_v`` for a block of rows ``(n, K)`` to ``out``."""
    return torch.add(log_v, block.to(log_v.dtype), alpha=1 / epsilon, out=out)


def _rows_per_block(scores: Tensor) -> int:
    elements = _BLOCK_ELEMENTS.get(scores.device.type, _BLOCK_ELEMENTS['cuda'])
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
