"""Carrying what is known about one sequence over to another one that it is aligned with."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mmsigma.ops.soft_dtw import smooth_dtw

REDUCTIONS = ('first', 'mean')
Payload = TypeVar('Payload', Tensor, np.ndarray, Sequence)


def expected_alignment(cost: Tensor, gamma: float, lengths: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """How likely each pair of frames is on the path, if paths of cost c have the probability exp(-c / gamma) / Z.

    It is the gradient of Soft-DTW by the costs. That of GTA's SmoothDTW is no probability: it may be negative.

    Args:
        cost: (B, M, N), finite.
        gamma: Temperature; the matrix tends to the cheapest path for 0.
        lengths: Lengths of both sequences, (B,) each, where some are padded.

    Returns:
        (B, M, N), float64, 0..1; the first and the last pair of frames have 1, padding has 0.

    Raises:
        ValueError: If gamma is not positive or shapes do not fit.
    """
    with torch.enable_grad():
        cost = cost.detach().double().requires_grad_()
        value = smooth_dtw(cost, gamma, kind='logsumexp', lengths=lengths).value
        return torch.autograd.grad(value.sum(), cost)[0]


def first_matches(first: Tensor, second: Tensor) -> Tensor:
    """The first frame of the second sequence that each frame of the first one is paired with.

    Args:
        first: Frames of the first sequence along a path (P,), int64, from 0, each once or more, in order.
        second: Those of the second (P,).

    Returns:
        (L,), int64, for a first sequence of L frames.

    Raises:
        ValueError: If frames of the first sequence are left out or out of order.
    """
    steps = first.diff()
    if not len(first) or first.shape != second.shape or first[0] != 0 or ((steps < 0) | (steps > 1)).any():
        raise ValueError('a path takes each frame of the first sequence, in order, and has as many of the second')
    starts = torch.cat([torch.ones(1, dtype=torch.bool, device=first.device), steps > 0])
    return second[starts]


def transfer(payload: Payload, first: Tensor, second: Tensor, reduce: str = 'first') -> Payload:
    """Carry one thing per frame of the second sequence to the frames of the first.

    Args:
        payload: Of each frame of the second sequence: tensor or array (N, ...), or a list of anything.
        first: Frames of the first sequence along a path (P,), int64, see :func:`first_matches`.
        second: Those of the second (P,).
        reduce: Of several frames that are paired with one: ``'first'`` takes what the first has, as labels need;
            ``'mean'`` averages numbers, poses or points in time for example.

    Returns:
        What ``payload`` is, one for each frame of the first sequence; means of whole numbers are float64.

    Raises:
        ValueError: If there is no such reduction, the path leaves frames out or goes beyond the payload, or things that
            are no numbers are to be averaged.
    """
    if reduce not in REDUCTIONS:
        raise ValueError(f'reduce must be one of {REDUCTIONS}, got {reduce!r}')
    matches = first_matches(first, second)
    if not 0 <= int(second.min()) <= int(second.max()) < len(payload):
        raise ValueError(f'the path goes to frame {int(second.max())}, the payload has {len(payload)} entries')
    if reduce == 'first':
        if isinstance(payload, Tensor):
            return payload[matches.to(payload.device)]
        if isinstance(payload, np.ndarray):
            return payload[matches.cpu().numpy()]
        return [payload[match] for match in matches.tolist()]
    if isinstance(payload, Tensor):
        return _mean(payload, first, second)
    if not isinstance(payload, np.ndarray) or payload.dtype.kind not in 'buif':
        raise ValueError("means are of tensors or arrays of numbers: use reduce='first'")
    return _mean(torch.from_numpy(payload), first.cpu(), second.cpu()).numpy()


def _mean(values: Tensor, first: Tensor, second: Tensor) -> Tensor:
    first, second = first.to(values.device), second.to(values.device)
    sums = values.new_zeros((int(first[-1]) + 1, *values.shape[1:]), dtype=torch.float64)
    sums.index_add_(0, first, values[second].double())
    means = sums / first.bincount().view(-1, *[1] * (values.ndim - 1))
    return means.to(values.dtype) if values.is_floating_point() else means
