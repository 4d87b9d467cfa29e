"""Temporal alignment of two sequences: SmoothDTW (GTA, CVPR 2021) and Soft-DTW, both differentiable, and hard DTW.

The table of accumulated costs is filled anti-diagonal by anti-diagonal for all pairs of a batch at once, which takes
M + N - 1 steps of a few vector operations on any device. For that, tables are stored skewed, one row per anti-diagonal
("diagonal" for short): entry (d, i) of the skewed table is cell (i, d - i) of the original. A cell on diagonal d
depends on

    left   cell (i, j - 1), at index i      of diagonal d - 1,
    both   cell (i - 1, j - 1), at index i - 1 of diagonal d - 2,
    up     cell (i - 1, j), at index i - 1  of diagonal d - 1.

On a CPU with numba, :mod:`mmsigma.ops.dtw_kernels` fills the tables cell by cell instead, with the same result up to
rounding. The environment variable MMSIGMA_NUMBA=0 turns that off, for results that do not depend on what is installed.
"""

import functools
import importlib
import importlib.util
import math
import warnings
from os import environ
from types import ModuleType
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmsigma.ops.precision import at_least_float32, full_float32

Kind = Literal['smoothmin', 'logsumexp']
KINDS: tuple[Kind, ...] = ('smoothmin', 'logsumexp')
# Scaled cost of cells outside the table. It is finite because 0 * inf is nan; its exponential is 0 in any precision.
_OUTSIDE = -1e30


def smooth_min(values: Tensor, gamma: float, kind: Kind = 'smoothmin', dim: int = -1) -> Tensor:
    """Return a differentiable minimum along a dimension, which approaches the true minimum as ``gamma`` tends to 0.

    Args:
        values: Values of any shape.
        gamma: Temperature.
        kind: ``'smoothmin'`` is the mean of the values weighted by softmax(-values / gamma), never below the minimum
            (GTA); ``'logsumexp'`` is -gamma log sum exp(-values / gamma), never above it (Soft-DTW, D3TW).
        dim: Dimension to reduce.

    Returns:
        The minimum, with ``dim`` removed.

    Raises:
        ValueError: If ``gamma`` is not positive and finite, or ``kind`` is unknown.
    """
    _check(gamma, kind)
    least = values.amin(dim=dim, keepdim=True).detach()
    above = values - least
    if kind == 'logsumexp':
        return least.squeeze(dim) - gamma * (above / -gamma).logsumexp(dim=dim)
    return least.squeeze(dim) + ((above / -gamma).softmax(dim=dim) * above).sum(dim=dim)


class AccumulatedCost(NamedTuple):
    """Result of :func:`smooth_dtw`.

    Attributes:
        value: Cost of the best alignment of each pair, ``(B,)``, not divided by its length.
        table: Cost of aligning the first i + 1 frames with the first j + 1 frames, ``(B, M, N)``; meaningless beyond
            the lengths.
    """

    value: Tensor
    table: Tensor


def smooth_dtw(
    cost: Tensor, gamma: float, *, kind: Kind = 'smoothmin', lengths: tuple[Tensor, Tensor] | None = None
) -> AccumulatedCost:
    """Align sequences with the recurrence R_ij = D_ij + smooth_min(R_i,j-1, R_i-1,j-1, R_i-1,j) (GTA, equation 3).

    Args:
        cost: Cost D of matching frame i of the first sequence with frame j of the second, ``(B, M, N)``. Infinite costs
            forbid a match, such as those outside of a band.
        gamma: Temperature of the minimum. Accumulated costs divided by it must stay below 1e29.
        kind: ``'smoothmin'`` (GTA) or ``'logsumexp'`` (Soft-DTW, D3TW); see :func:`smooth_min`.
        lengths: Lengths of the first and the second sequences, ``(B,)`` each; None if nothing is padded. The content
            of the padding has no influence.

    Returns:
        Values and tables in float32, or in float64 for float64 costs; autocast has no effect. They are infinite where
        every path is forbidden. Gradients are exact, and 0 for forbidden matches; second derivatives are not supported.

    Raises:
        ValueError: If ``gamma`` is not positive and finite, ``kind`` is unknown, a sequence is empty, shapes do not
            match, or costs within the lengths are NaN or negative infinity.
    """
    _check(gamma, kind)
    if cost.ndim != 3 or 0 in cost.shape:
        raise ValueError(f'costs must have the shape (B, M, N) without empty dimensions, got {tuple(cost.shape)}')
    rows, columns = lengths if lengths is not None else (torch.full((len(cost),), size) for size in cost.shape[1:])
    for name, size, limit in zip(('first', 'second'), lengths or (), cost.shape[1:], strict=False):
        in_range = size.shape == cost.shape[:1]
        if in_range:
            least, most = torch.stack([size.min(), size.max()]).tolist()  # a GPU waits once
            in_range = 1 <= least <= most <= limit
        if not in_range:
            raise ValueError(f'lengths of the {name} sequences must be {len(cost)} numbers from 1 to {limit}')
    cost = at_least_float32(cost)
    rows, columns = rows.to(cost.device), columns.to(cost.device)
    if lengths is not None:
        cost = cost.masked_fill(_padded(cost, rows, columns), 0)
    forbidden = None
    if not cost.isfinite().all():
        if not (cost > -math.inf).all():
            raise ValueError(
                'costs must be finite or infinite: some are NaN or negative infinity. NaN usually means that the '
                'embeddings are NaN because training diverged: lower the learning rate'
            )
        forbidden = cost == math.inf
        cost = cost.masked_fill(forbidden, -_OUTSIDE * gamma)
    table = _SmoothDTW.apply(cost, gamma, kind)
    if forbidden is not None:  # a cell that only forbidden matches lead to has an enormous cost
        table = table.masked_fill(table.detach() >= -_OUTSIDE * gamma / 10, math.inf)
    return AccumulatedCost(table[torch.arange(len(cost), device=cost.device), rows - 1, columns - 1], table)


def _padded(cost: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return which cells of costs ``(B, M, N)`` lie beyond the lengths ``(B,)`` of either sequence, ``(B, M, N)``."""
    beyond = [
        torch.arange(size, device=cost.device) >= length.to(cost.device)[:, None]
        for size, length in zip(cost.shape[1:], (rows, columns), strict=True)
    ]
    return beyond[0][:, :, None] | beyond[1][:, None]


def contrastive_cost(x: Tensor, y: Tensor, temperature: float = 0.1, length: Tensor | None = None) -> Tensor:
    """Return the cost of matching frames as a classification over the frames of the first sequence (GTA, equation 8).

    ``D_ij = -log(exp(x_i.y_j / beta) / sum_k exp(x_k.y_j / beta))``. The cost is not symmetric: exchanging x and y
    gives other values.

    Args:
        x: Embeddings of the first sequences, ``(B, M, D)``, of unit length.
        y: Embeddings of the second sequences, ``(B, N, D)``, of unit length.
        temperature: Temperature beta.
        length: Lengths of the first sequences, ``(B,)``; None if nothing is padded.

    Returns:
        Costs ``(B, M, N)``, finite; 0 in padded rows.

    Raises:
        ValueError: If ``temperature`` is not positive.
    """
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    with full_float32(x.device.type):
        logits = at_least_float32(x) @ at_least_float32(y).transpose(1, 2) / temperature
    if length is None:
        return -logits.log_softmax(dim=1)
    padded = (torch.arange(x.shape[1], device=x.device) >= length.to(x.device)[:, None])[:, :, None]
    return -logits.masked_fill(padded, -torch.inf).log_softmax(dim=1).masked_fill(padded, 0)


def cosine_cost(x: Tensor, y: Tensor, lengths: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Return the cosine distance of frames, ``D_ij = 1 - cos(x_i, y_j)``; exchanging x and y transposes it.

    This is the alignment cost without the contrast of :func:`contrastive_cost`. GTA's released code has a switch for
    it as well, but takes the similarity itself as the cost, which would drive matching frames apart.

    Args:
        x: Embeddings of the first sequences, ``(B, M, D)``, of any length.
        y: Embeddings of the second sequences, ``(B, N, D)``, of any length.
        lengths: Lengths of the first and the second sequences, ``(B,)`` each; None if nothing is padded.

    Returns:
        Costs ``(B, M, N)`` between 0 and 2; 0 in the padding.
    """
    x, y = at_least_float32(x), at_least_float32(y)
    with full_float32(x.device.type):
        cost = 1 - F.normalize(x, dim=2) @ F.normalize(y, dim=2).transpose(1, 2)
    return cost if lengths is None else cost.masked_fill(_padded(cost, *lengths), 0)


class _SmoothDTW(torch.autograd.Function):
    """Differentiable function from costs ``(B, M, N)`` to the table of accumulated costs ``(B, M, N)``."""

    @staticmethod
    def forward(ctx: Any, cost: Tensor, gamma: float, kind: Kind) -> Tensor:
        kernels = (
            _compiled_kernels() if cost.device.type == 'cpu' and environ.get('MMSIGMA_NUMBA', '1') != '0' else None
        )
        ctx.kernels = kernels
        if kernels is not None:
            scaled = F.pad(cost / -gamma, (1, 0, 1, 0), value=_OUTSIDE)  # (B, M + 1, N + 1)
            scaled[:, 0, 0] = 0
            ctx.save_for_backward(kernels.fill(scaled, kind == 'smoothmin'))
            return scaled[:, 1:, 1:] * -gamma
        scaled = _fill(_skew(cost) / -gamma, kind)  # (M + N + 1, B, M + 1)
        ctx.save_for_backward(scaled)
        ctx.kind, ctx.columns = kind, cost.shape[2]
        return _unskew(scaled[2:, :, 1:], cost.shape[2]) * -gamma  # without the border

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        # With w(c -> p) the derivative of the minimum of cell c by its predecessor p, the flow at a cell is
        #   flow(p) = grad(p) + sum over successors c of w(c -> p) * flow(c).
        # Since dR_c / dD_c = 1, the flow is also the gradient by the cost of the cell.
        if ctx.kernels is not None:
            flow = grad.clone(memory_format=torch.contiguous_format)
            (weights,) = ctx.saved_tensors
            ctx.kernels.push_back(weights, flow)
            return flow, None, None
        (scaled,) = ctx.saved_tensors
        weights = _weights(scaled, ctx.kind)
        # Skewed as `scaled`: two diagonals and one column of border in front, (M + N + 1, B, M + 1).
        flow = F.pad(_skew(grad), (1, 0, 0, 0, 2, 0))
        # Views of each diagonal: `own[d][:, i]` is cell i, `above[d][:, i]` is cell i - 1.
        own, above = flow[:, :, 1:].unbind(0), flow[:, :, :-1].unbind(0)
        left, both, up = (part.unbind(0) for part in weights.unbind(0))
        # From the last diagonal to the first: push the finished flow of diagonal `number` to its predecessors. The
        # weights have no border, so theirs is diagonal number - 2.
        for number in range(len(flow) - 1, 1, -1):
            own[number - 1].addcmul_(left[number - 2], own[number])
            above[number - 1].addcmul_(up[number - 2], own[number])
            above[number - 2].addcmul_(both[number - 2], own[number])
        return _unskew(flow[2:, :, 1:], ctx.columns), None, None


@functools.cache
def _compiled_kernels() -> ModuleType | None:
    """Return :mod:`mmsigma.ops.dtw_kernels`; None without numba, or, with a warning, if it does not work here."""
    if importlib.util.find_spec('numba') is None:
        return None
    try:
        return importlib.import_module('mmsigma.ops.dtw_kernels')
    except (ImportError, RuntimeError) as error:  # it needs a certain numpy, and a folder for what it compiles
        warnings.warn(
            f'alignment is computed without numba, which is installed but does not work ({error}): update numba, or '
            'set NUMBA_CACHE_DIR to a folder that can be written; MMSIGMA_NUMBA=0 leaves it out',
            stacklevel=2,
        )
        return None


def _fill(cost: Tensor, kind: Kind) -> Tensor:
    """Fill the skewed table with its border, ``(M + N + 1, B, M + 1)``, from skewed costs ``(M + N - 1, B, M)``.

    Costs and table are both divided by -gamma, so that the minimum becomes a maximum. The border consists of diagonals
    0 and 1 and of column 0. Whole diagonals are computed, including cells on both sides of the table, because slicing
    would take longer than computing these. No cell of the table depends on those beyond its last column. Those before
    its first column keep their initial value, since all their predecessors lie outside as well.
    """
    num_diagonals, batch, num_rows = cost.shape
    table = cost.new_full((num_diagonals + 2, batch, num_rows + 1), _OUTSIDE)
    # the corner before the first cell, (-1, -1), is where every path begins
    table[0, :, 0] = 0
    # `own[d][:, i]` is cell i of diagonal d, `above[d][:, i]` is cell i - 1
    own, above = table[:, :, 1:].unbind(0), table[:, :, :-1].unbind(0)
    for number, diagonal in enumerate(cost.unbind(0), 2):
        before = torch.stack([own[number - 1], above[number - 2], above[number - 1]])  # left, both, up: (3, B, M)
        if kind == 'smoothmin':
            least = before.softmax(dim=0).mul_(before).sum(dim=0)
        else:
            least = before.logsumexp(dim=0)
        torch.add(least, diagonal, out=own[number])
    return table


def _weights(table: Tensor, kind: Kind) -> Tensor:
    """Return the derivatives of each cell's minimum by its predecessors left, both and up, ``(3, M + N - 1, B, M)``.

    ``table`` is the scaled, skewed table with its border from :func:`_fill`, ``(M + N + 1, B, M + 1)``.
    """
    before = torch.stack([table[1:-1, :, 1:], table[:-2, :, :-1], table[1:-1, :, :-1]])
    before.sub_(before.amax(dim=0))  # differences keep more digits when they are near 0
    share = before.softmax(dim=0)
    if kind == 'logsumexp':
        return share
    # With s = sum_k p_k n_k for unscaled values n: ds / dn_k = p_k (1 + (s - n_k) / gamma). Here n_k = -gamma before_k.
    mean = (share * before).sum(dim=0)
    return before.sub_(mean).add_(1).mul_(share)


def _skew(values: Tensor) -> Tensor:
    """Rearrange cells ``(B, M, N)`` into diagonals ``(M + N - 1, B, M)``, with 0 where a diagonal leaves the table.

    Rows are padded from N to M + N cells, flattened, and cut again into rows of M + N - 1 cells: each row starts one
    cell further to the right than the one above, so that column d of the result holds the cells with i + j = d.
    """
    batch, rows, columns = values.shape
    padded = F.pad(values, (0, rows)).flatten(1)[:, :-rows]
    return padded.view(batch, rows, rows + columns - 1).permute(2, 0, 1).contiguous()


def _unskew(values: Tensor, columns: int) -> Tensor:
    """Rearrange diagonals ``(M + N - 1, B, M)`` into cells ``(B, M, N)``, the inverse of :func:`_skew`."""
    diagonals, batch, rows = values.shape
    padded = F.pad(values.permute(1, 2, 0).flatten(1), (0, rows))
    return padded.view(batch, rows, diagonals + 1)[..., :columns].contiguous()


def _check(gamma: float, kind: Kind) -> None:
    if not 0 < gamma < math.inf:
        raise ValueError(f'gamma must be positive and finite, got {gamma}')
    if kind not in KINDS:
        raise ValueError(f'kind must be one of {KINDS}, got {kind!r}')


class WarpingPath(NamedTuple):
    """Result of :func:`dtw_path`.

    Attributes:
        value: Sum of the costs on the path.
        table: Accumulated costs, ``(M, N)``, float64.
        first: Frame numbers of the first sequence along the path, ``(L,)``, int64.
        second: Frame numbers of the second sequence along the path, ``(L,)``, int64.
    """

    value: float
    table: Tensor
    first: Tensor
    second: Tensor


@torch.no_grad()
def dtw_path(cost: Tensor) -> WarpingPath:
    """Find the cheapest monotonic path from the first pair of frames to the last, without skipping any frame.

    Of several cheapest steps, the diagonal one is taken first, then the one along the first sequence.

    Args:
        cost: Cost of matching frame i of the first sequence with frame j of the second, ``(M, N)``; infinite costs
            forbid a match.

    Returns:
        The path with its accumulated costs, on the CPU.

    Raises:
        ValueError: If ``cost`` is not a matrix, is empty, has NaN or negative infinity, or forbids every path.
    """
    if cost.ndim != 2 or 0 in cost.shape:
        raise ValueError(f'costs must have the shape (M, N) and no empty dimension, got {tuple(cost.shape)}')
    if not (cost > -math.inf).all():
        raise ValueError('costs must be finite or infinite: some are NaN or negative infinity')
    rows, columns = cost.shape
    skewed = _skew(cost.double().cpu()[None])[:, 0]  # (M + N - 1, M)
    # with a border of two diagonals and one column, as in `_fill`: cell i of diagonal d is table[d + 2, i + 1]
    table = skewed.new_full((len(skewed) + 2, rows + 1), torch.inf)
    table[0, 0] = 0
    for number in range(2, len(table)):
        # columns of the table row whose cells lie inside the matrix
        low, high = max(1, number - columns), min(rows, number - 1) + 1
        one, two = table[number - 1], table[number - 2, low - 1 : high - 1]
        least = torch.minimum(torch.minimum(one[low:high], one[low - 1 : high - 1]), two)
        torch.add(least, skewed[number - 2, low - 1 : high - 1], out=table[number, low:high])
    accumulated = _unskew(table[2:, None, 1:], columns)[0]
    if accumulated[-1, -1] == math.inf:
        raise ValueError('infinite costs forbid every path from the first pair of frames to the last')
    first, second = _walk_back(accumulated)
    return WarpingPath(float(accumulated[-1, -1]), accumulated, first, second)


def _walk_back(table: Tensor) -> tuple[Tensor, Tensor]:
    """Follow the cheapest predecessors from the last cell to the first; return both index sequences in order."""
    values = F.pad(table, (1, 0, 1, 0), value=torch.inf).numpy()  # a border of inf, so indices count from 1
    i, j = table.shape
    steps = [(i, j)]
    while (i, j) != (1, 1):
        i, j = min((i - 1, j - 1), (i - 1, j), (i, j - 1), key=values.__getitem__)
        steps.append((i, j))
    first, second = torch.tensor(steps[::-1]).unbind(1)
    return first - 1, second - 1
