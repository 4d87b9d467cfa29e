"""Transfer of per-frame data, such as labels or poses, from one sequence to another that it is aligned with."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from mmsigma.ops.soft_dtw import smooth_dtw

Reduction = Literal['first', 'mean']
REDUCTIONS: tuple[Reduction, ...] = ('first', 'mean')
Payload = TypeVar('Payload', Tensor, np.ndarray, Sequence[Any])


def expected_alignment(cost: Tensor, gamma: float, lengths: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Return the probability that each pair of frames is on the path, if P(path) = exp(-cost / gamma) / Z.

    It is the gradient of Soft-DTW with respect to the costs. The gradient of GTA's SmoothDTW is not a probability, as
    it may be negative.

    Args:
        cost: Cost of matching frame i of the first with frame j of the second sequence, ``(B, M, N)``, finite.
        gamma: Temperature; as it tends to 0, the matrix tends to the cheapest path.
        lengths: Lengths of the first and the second sequences, ``(B,)`` each; None if nothing is padded.

    Returns:
        Probabilities ``(B, M, N)``, float64. They are 1 for the first and the last pair of frames and 0 in the padding.

    Raises:
        ValueError: If ``gamma`` is not positive or shapes do not match.
    """
    with torch.enable_grad():
        cost = cost.detach().double().requires_grad_()
        value = smooth_dtw(cost, gamma, kind='logsumexp', lengths=lengths).value
        return torch.autograd.grad(value.sum(), cost)[0]


def first_matches(first: Tensor, second: Tensor) -> Tensor:
    """Return the first frame of the second sequence that each frame of the first sequence is paired with.

    Args:
        first: Frames of the first sequence along a path, ``(P,)``, int64: from 0, in order, each at least once.
        second: Frames of the second sequence along the path, ``(P,)``, int64.

    Returns:
        Frame numbers ``(L,)``, int64, for a first sequence of L frames.

    Raises:
        ValueError: If frames of the first sequence are missing or out of order.
    """
    steps = first.diff()
    if not len(first) or first.shape != second.shape or first[0] != 0 or ((steps < 0) | (steps > 1)).any():
        raise ValueError('a path takes each frame of the first sequence, in order, and as many of the second')
    starts = torch.cat([torch.ones(1, dtype=torch.bool, device=first.device), steps > 0])
    return second[starts]


def transfer(payload: Payload, first: Tensor, second: Tensor, reduce: Reduction = 'first') -> Payload:
    """Transfer per-frame data of the second sequence to the frames of the first.

    Args:
        payload: Data of each frame of the second sequence: a tensor or array ``(N, ...)``, or a list of anything.
        first: Frames of the first sequence along a path, ``(P,)``, int64; see :func:`first_matches`.
        second: Frames of the second sequence along the path, ``(P,)``, int64.
        reduce: How to combine several frames that are paired with the same one: ``'first'`` takes the first of them,
            as labels require; ``'mean'`` averages numbers, such as poses or timestamps.

    Returns:
        Data of the same kind as ``payload``, one entry per frame of the first sequence. Means of integers are float64.

    Raises:
        ValueError: If ``reduce`` is unknown, the path skips frames or exceeds the payload, or the mean is requested of
            data that is not numeric.
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f'reduce must be one of {REDUCTIONS}, got {reduce!r}')
    matches = first_matches(first, second)
    if not 0 <= int(second.min()) <= int(second.max()) < len(payload):
        raise ValueError(
            f'the path goes to frame {int(second.max())}, the payload has {len(payload)} entries: pass the data of all '
            'frames of the second sequence'
        )
    if reduce == 'first':
        if isinstance(payload, Tensor):
            return payload[matches.to(payload.device)]
        if isinstance(payload, np.ndarray):
            picked: np.ndarray = payload[matches.cpu().numpy()]
            return picked
        return [payload[match] for match in matches.tolist()]
    if isinstance(payload, Tensor):
        return _mean(payload, first, second)
    if not isinstance(payload, np.ndarray) or payload.dtype.kind not in 'buif':
        raise ValueError("means require a tensor or a numeric array: use reduce='first'")
    return _mean(torch.from_numpy(payload), first.cpu(), second.cpu()).numpy()


def _mean(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    first, second = first.to(values.device), second.to(values.device)
    sums = values.new_zeros((int(first[-1]) + 1, *values.shape[1:]), dtype=torch.float64)
    sums.index_add_(0, first, values[second].double())
    means = sums / first.bincount().view(-1, *[1] * (values.ndim - 1))
    return means.to(values.dtype) if values.is_floating_point() else means
