"""Monotonic paths through a table of costs that resist noise better than the cheapest one does."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from mmsigma.ops.soft_dtw import dtw_path, smooth_dtw

PathKind = Literal['dtw', 'slope', 'expected']
PATH_KINDS: tuple[PathKind, ...] = ('dtw', 'slope', 'expected')
_ROUNDING = 1e-6  # frames; positions that are halves up to rounding in float64 all go the same way


class FramePath(NamedTuple):
    """A monotonic path from the first pair of frames to the last, which passes through all frames of both sequences.

    Attributes:
        first: Frame numbers of the first sequence along the path, ``(P,)``, int64.
        second: Frame numbers of the second sequence along the path, ``(P,)``, int64.
    """

    first: Tensor
    second: Tensor


def find_path(cost: Tensor, kind: PathKind = 'dtw', *, max_pace: int = 2, gamma: float = 1.0) -> FramePath:
    """Find a path through a table of costs.

    Args:
        cost: Cost of matching frame i of the first sequence with frame j of the second, ``(M, N)``.
        kind: ``'dtw'``, the cheapest path (:func:`~mmsigma.ops.soft_dtw.dtw_path`); ``'slope'``, the cheapest of
            bounded pace (:func:`slope_path`); ``'expected'``, the mean of all paths (:func:`expected_path`).
        max_pace: Largest pace of ``'slope'``.
        gamma: Temperature of ``'expected'``.

    Returns:
        The path, on the CPU.

    Raises:
        ValueError: If an argument is out of range, or there is no path.
    """
    if kind not in PATH_KINDS:
        raise ValueError(f'path must be one of {PATH_KINDS}, got {kind!r}')
    if kind == 'slope':
        return slope_path(cost, max_pace)
    if kind == 'expected':
        return expected_path(cost, gamma)
    path = dtw_path(cost)
    return FramePath(path.first, path.second)


@torch.no_grad()
def slope_path(cost: Tensor, max_pace: int = 2) -> FramePath:
    """Find the cheapest path on which neither sequence runs faster than ``max_pace`` times the other.

    Paces are relative to the constant pace that plays both sequences from start to end: the shorter sequence is
    stretched to the length L of the longer one by repeating its frames. On the grid of L x L, a step is one frame of
    one sequence and q of the other, 1 <= q <= ``max_pace``, and costs the sum of the cells that it passes through
    (Sakoe and Chiba, 1978, with slopes from 1 / ``max_pace`` to ``max_pace``). The diagonal is always possible. Of
    several cheapest steps, the one with the least q is taken, then the one with q frames of the second sequence.

    Args:
        cost: Cost of matching frame i of the first sequence with frame j of the second, ``(M, N)``, finite.
        max_pace: Largest pace; 1 allows the diagonal only.

    Returns:
        The path, on the CPU.

    Raises:
        ValueError: If ``cost`` is not a matrix, is empty or not finite, or ``max_pace`` is not positive.
    """
    _check_cost(cost)
    if max_pace < 1:
        raise ValueError(f'max_pace must be at least 1, got {max_pace}')
    rows, columns = cost.shape
    size = max(rows, columns)
    place = torch.arange(size)
    frames = place * rows // size, place * columns // size
    grid = cost.detach().double().cpu()[frames[0]][:, frames[1]]
    # (rows, columns) of a step, in the order in which equal ones are taken
    steps = [(1, 1), *(step for q in range(2, max_pace + 1) for step in ((1, q), (q, 1)))]
    # with a border of `max_pace` rows and columns: cell (i, j) is table[i + max_pace, j + max_pace]
    table = grid.new_full((size + max_pace, size + max_pace), torch.inf)
    table[max_pace, max_pace] = grid[0, 0]
    bordered = torch.nn.functional.pad(grid, (max_pace, 0, max_pace, 0))
    taken = torch.zeros(size, size, dtype=torch.int64)
    inside = slice(max_pace, None)
    for i in range(max_pace + 1, size + max_pace):  # all predecessors of a row are in the rows before
        candidates = []
        for down, right in steps:
            before = table[i - down, max_pace - right : size + max_pace - right]
            if down == 1:
                passed = sum(bordered[i, max_pace - back : size + max_pace - back] for back in range(right))
            else:
                passed = bordered[i - down + 1 : i + 1, inside].sum(dim=0)
            candidates.append(before + passed)
        best = torch.stack(candidates).min(dim=0)
        table[i, inside], taken[i - max_pace] = best.values, best.indices
    path = _steps_back(taken, steps)
    return _without_repetitions(frames[0][path[0]], frames[1][path[1]])


def _steps_back(taken: Tensor, steps: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Follow the steps ``(L, L)`` that lead to each cell back from the last cell; return all cells passed, in order."""
    numbers, i, j = taken.tolist(), len(taken) - 1, len(taken) - 1
    cells = [(i, j)]
    while (i, j) != (0, 0):
        down, right = steps[numbers[i][j]]
        cells += [(i - back, j) for back in range(1, down)] + [(i, j - back) for back in range(1, right)]
        i, j = i - down, j - right
        cells.append((i, j))
    first, second = torch.tensor(cells[::-1]).unbind(1)
    return first, second


@torch.no_grad()
def expected_path(cost: Tensor, gamma: float = 1.0) -> FramePath:
    """Find the mean of all monotonic paths, if P(path) = exp(-cost / gamma) / Z.

    A path is at position (i, j) at the time i + j, and between two cells at the time that a diagonal step skips. The
    mean position at each time is monotonic in both sequences, since that of every path is. It is rounded to frames.
    Where costs say little, many paths are likely, and their mean is close to a constant pace, while the cheapest path
    follows the noise.

    Args:
        cost: Cost of matching frame i of the first sequence with frame j of the second, ``(M, N)``, finite.
        gamma: Temperature, in the unit of the costs; as it tends to 0, the path tends to the cheapest one.

    Returns:
        The path, on the CPU.

    Raises:
        ValueError: If ``cost`` is not a matrix, is empty or not finite, or ``gamma`` is not positive and finite.
    """
    first = expected_positions(cost, gamma)
    second = torch.arange(len(first)) - first
    return _without_repetitions(*((side + 0.5 + _ROUNDING).floor().long() for side in (first, second)))


@torch.no_grad()
def expected_positions(cost: Tensor, gamma: float = 1.0) -> Tensor:
    """Return the mean frame of the first sequence at each time i + j of all paths; see :func:`expected_path`.

    Returns:
        Positions ``(M + N - 1,)``, float64, on the CPU, from 0 to M - 1, whose differences are between 0 and 1. At time
        t, the position in the second sequence is t minus that in the first.
    """
    _check_cost(cost)
    cost = cost.detach().double().cpu()
    rows, columns = cost.shape
    ways = torch.stack([cost, cost.flip(0, 1)])
    # of all paths to a cell and from a cell, with its own cost in both
    before, after = smooth_dtw(ways, gamma, kind='logsumexp').table
    after = after.flip(0, 1)
    total = before[-1, -1]
    on_cell = ((total - before - after + cost) / gamma).exp()
    on_step = ((total - before[:-1, :-1] - after[1:, 1:]) / gamma).exp()  # from (i, j) to (i + 1, j + 1)
    i, j = torch.arange(rows)[:, None], torch.arange(columns)
    positions, weights = (cost.new_zeros(rows + columns - 1) for _ in range(2))
    for time, place, share in ((i + j, i, on_cell), ((i + j + 1)[:-1, :-1], (i + 0.5)[:-1], on_step)):
        positions.index_add_(0, time.flatten(), (share * place).flatten())
        weights.index_add_(0, time.flatten(), share.flatten())
    return positions / weights  # weights are 1 up to rounding


def _without_repetitions(first: Tensor, second: Tensor) -> FramePath:
    """Remove pairs that equal the one before."""
    pairs = torch.stack([first, second], dim=1).unique_consecutive(dim=0)
    return FramePath(*pairs.unbind(1))


def _check_cost(cost: Tensor) -> None:
    if cost.ndim != 2 or 0 in cost.shape:
        raise ValueError(f'costs must have the shape (M, N) and no empty dimension, got {tuple(cost.shape)}')
    if not (cost.abs() < math.inf).all():
        raise ValueError('costs of paths of bounded pace and of mean paths must be finite')
