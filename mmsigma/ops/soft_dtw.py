"""Differentiable alignment of two sequences in time: SmoothDTW (GTA, CVPR 2021) and Soft-DTW, and the hard path.

The table of accumulated costs is filled diagonal by diagonal for all pairs of a batch at once: M + N - 1 steps of a few
operations on vectors, on any device. Cells are kept skewed, one row per diagonal:

    diagonal d     cells (i, d - i)
    predecessors   left and up on diagonal d - 1, both on diagonal d - 2
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

KINDS = ('smoothmin', 'logsumexp')
# Scaled cost of cells outside the table. Finite, as 0 * inf is not 0; exp of its negative is 0 in any precision.
_OUTSIDE = -1e30


def smooth_min(values: Tensor, gamma: float, kind: str = 'smoothmin', dim: int = -1) -> Tensor:
    """A differentiable minimum along a dimension, which tends to the minimum for ``gamma`` to 0.

    ``'smoothmin'``: mean of the values weighted by softmax(-values / gamma), never below the minimum (GTA).
    ``'logsumexp'``: -gamma log sum exp(-values / gamma), never above it (Soft-DTW, D3TW).

    Raises:
        ValueError: If gamma is not positive and finite, or the kind unknown.
    """
    _check(gamma, kind)
    least = values.amin(dim=dim, keepdim=True).detach()
    above = values - least
    if kind == 'logsumexp':
        return least.squeeze(dim) - gamma * (above / -gamma).logsumexp(dim=dim)
    return least.squeeze(dim) + ((above / -gamma).softmax(dim=dim) * above).sum(dim=dim)


class Alignment(NamedTuple):
    """Result of :func:`smooth_dtw`.

    Attributes:
        value: Cost of the best alignment of each pair (B,), not divided by its length.
        table: Cost of aligning the first i + 1 frames with the first j + 1, (B, M, N); meaningless beyond the lengths.
    """

    value: Tensor
    table: Tensor


def smooth_dtw(
    cost: Tensor, gamma: float, *, kind: str = 'smoothmin', lengths: tuple[Tensor, Tensor] | None = None
) -> Alignment:
    """Cost of aligning sequences, R_ij = D_ij + smooth_min(R_i,j-1, R_i-1,j-1, R_i-1,j) (GTA, equation 3).

    Args:
        cost: Cost of matching frame i of the first with frame j of the second sequence (B, M, N), finite
            within the lengths.
        gamma: Temperature of the minimum; accumulated costs over gamma have to stay below 1e29.
        kind: ``'smoothmin'`` (GTA) or ``'logsumexp'`` (Soft-DTW, D3TW); see :func:`smooth_min`.
        lengths: Lengths of both sequences, (B,) each, where some are padded; padding has no influence,
            whatever it is.

    Returns:
        Values and tables, in float32 or, if the costs are, float64; autocast has no effect. Their gradients are
        exact; second derivatives are not supported.

    Raises:
        ValueError: If gamma is not positive and finite, the kind unknown, a sequence empty, or shapes do not fit.
    """
    _check(gamma, kind)
    if cost.ndim != 3 or 0 in cost.shape:
        raise ValueError(f'costs must have the shape (B, M, N) without a 0, got {tuple(cost.shape)}')
    rows, columns = lengths if lengths is not None else (torch.full((len(cost),), size) for size in cost.shape[1:])
    for name, size, limit in (('first', rows, cost.shape[1]), ('second', columns, cost.shape[2])):
        if size.shape != cost.shape[:1] or not 1 <= int(size.min()) <= int(size.max()) <= limit:
            raise ValueError(f'lengths of the {name} sequences must be {len(cost)} numbers from 1 to {limit}')
    cost = cost if cost.dtype == torch.float64 else cost.float()
    rows, columns = rows.to(cost.device), columns.to(cost.device)
    if lengths is not None:
        cost = cost.masked_fill(_padded(cost, rows, columns), 0)
    table = _SmoothDTW.apply(cost, gamma, kind)
    return Alignment(table[torch.arange(len(cost), device=cost.device), rows - 1, columns - 1], table)


def _padded(cost: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Which cells of costs (B, M, N) are beyond the lengths (B,) of either sequence, (B, M, N)."""
    beyond = [
        torch.arange(size, device=cost.device) >= length.to(cost.device)[:, None]
        for size, length in zip(cost.shape[1:], (rows, columns), strict=True)
    ]
    return beyond[0][:, :, None] | beyond[1][:, None]


def contrastive_cost(x: Tensor, y: Tensor, temperature: float = 0.1, length: Tensor | None = None) -> Tensor:
    """Cost of matching frames as a classification among those of the first sequence (GTA, equation 8).

    ``D_ij = -log(exp(x_i.y_j / beta) / sum_k exp(x_k.y_j / beta))``; exchanging x and y gives other costs.

    Args:
        x: Embeddings (B, M, D), of unit length.
        y: Embeddings (B, N, D), of unit length.
        temperature: Beta.
        length: Lengths of the first sequences (B,), where some are padded.

    Returns:
        (B, M, N), finite; 0 in padded rows.

    Raises:
        ValueError: If the temperature is not positive.
    """
    if temperature <= 0:
        raise ValueError(f'temperature must be positive, got {temperature}')
    logits = x @ y.transpose(1, 2) / temperature
    if length is None:
        return -logits.log_softmax(dim=1)
    padded = (torch.arange(x.shape[1], device=x.device) >= length.to(x.device)[:, None])[:, :, None]
    return -logits.masked_fill(padded, -torch.inf).log_softmax(dim=1).masked_fill(padded, 0)


def cosine_cost(x: Tensor, y: Tensor, lengths: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Cost of matching frames by themselves, ``D_ij = 1 - cos(x_i, y_j)``; exchanging x and y transposes it.

    What alignment is without the contrast of :func:`contrastive_cost`. GTA's release has a switch for that, too, which
    takes the similarity itself for the cost and so would drive matches apart.

    Args:
        x: Embeddings (B, M, D), of any length.
        y: Embeddings (B, N, D), of any length.
        lengths: Lengths of both sequences, (B,) each, where some are padded.

    Returns:
        (B, M, N), from 0 to 2; 0 in padding.
    """
    cost = 1 - F.normalize(x, dim=2) @ F.normalize(y, dim=2).transpose(1, 2)
    return cost if lengths is None else cost.masked_fill(_padded(cost, *lengths), 0)


class _SmoothDTW(torch.autograd.Function):
    """From costs (B, M, N) to the table of accumulated costs (B, M, N)."""

    @staticmethod
    def forward(ctx, cost: Tensor, gamma: float, kind: str) -> Tensor:
        scaled = _fill(_skew(cost) / -gamma, kind)
        ctx.save_for_backward(scaled)
        ctx.kind, ctx.columns = kind, cost.shape[2]
        return _unskew(scaled[2:, :, 1:], cost.shape[2]) * -gamma

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        (scaled,) = ctx.saved_tensors
        weights = _weights(scaled, ctx.kind)
        flow = F.pad(_skew(grad), (1, 0, 0, 0, 2, 0))  # what reaches a cell from the cells after it
        own, above = flow[:, :, 1:].unbind(0), flow[:, :, :-1].unbind(0)
        left, both, up = (part.unbind(0) for part in weights.unbind(0))
        for number in range(len(flow) - 1, 1, -1):
            own[number - 1].addcmul_(left[number - 2], own[number])
            above[number - 1].addcmul_(up[number - 2], own[number])
            above[number - 2].addcmul_(both[number - 2], own[number])
        return _unskew(flow[2:, :, 1:], ctx.columns), None, None


def _fill(cost: Tensor, kind: str) -> Tensor:
    """The table over -gamma, skewed and with its border (M + N + 1, B, M + 1), from costs (M + N - 1, B, M) over it.

    Whole diagonals are computed, with cells on both sides of the table: slices would cost more time than these. No cell
    of the table depends on those beyond its last column, and those before its first column stay as they begin, since
    all their predecessors are outside, too.
    """
    num_diagonals, batch, num_rows = cost.shape
    table = cost.new_full((num_diagonals + 2, batch, num_rows + 1), _OUTSIDE)
    table[0, :, 0] = 0
    own, above = table[:, :, 1:].unbind(0), table[:, :, :-1].unbind(0)
    for number, diagonal in enumerate(cost.unbind(0), 2):
        before = torch.stack([own[number - 1], above[number - 2], above[number - 1]])
        if kind == 'smoothmin':
            least = before.softmax(dim=0).mul_(before).sum(dim=0)
        else:
            least = before.logsumexp(dim=0)
        torch.add(least, diagonal, out=own[number])
    return table


def _weights(table: Tensor, kind: str) -> Tensor:
    """Derivatives of each cell's minimum by its predecessors left, both and up, (3, M + N - 1, B, M)."""
    before = torch.stack([table[1:-1, :, 1:], table[:-2, :, :-1], table[1:-1, :, :-1]])
    before.sub_(before.amax(dim=0))  # differences lose fewer digits near 0
    share = before.softmax(dim=0)
    if kind == 'logsumexp':
        return share
    # d s / d n_k = p_k (1 + (s - n_k) / gamma) for s = sum p n
    mean = (share * before).sum(dim=0)
    return before.sub_(mean).add_(1).mul_(share)


def _skew(values: Tensor) -> Tensor:
    """Cells (B, M, N) by diagonals (M + N - 1, B, M), 0 where a diagonal leaves the table."""
    batch, rows, columns = values.shape
    padded = F.pad(values, (0, rows)).flatten(1)[:, :-rows]
    return padded.view(batch, rows, rows + columns - 1).permute(2, 0, 1).contiguous()


def _unskew(values: Tensor, columns: int) -> Tensor:
    """The reverse of :func:`_skew`."""
    diagonals, batch, rows = values.shape
    padded = F.pad(values.permute(1, 2, 0).flatten(1), (0, rows))
    return padded.view(batch, rows, diagonals + 1)[..., :columns].contiguous()


def _check(gamma: float, kind: str) -> None:
    if not 0 < gamma < math.inf:
        raise ValueError(f'gamma must be positive and finite, got {gamma}')
    if kind not in KINDS:
        raise ValueError(f'kind must be one of {KINDS}, got {kind!r}')


class Path(NamedTuple):
    """Result of :func:`dtw_path`.

    Attributes:
        value: Sum of the costs on the path.
        table: Accumulated costs (M, N), float64.
        first: Frames of the first sequence along the path (L,), int64.
        second: Those of the second.
    """

    value: float
    table: Tensor
    first: Tensor
    second: Tensor


@torch.no_grad()
def dtw_path(cost: Tensor) -> Path:
    """The cheapest monotonous path from the first pair of frames to the last, through every frame of both sequences.

    Of equally cheap steps it takes the one on both sequences, then that on the first.

    Args:
        cost: (M, N), finite.

    Raises:
        ValueError: If the shape is another, or some costs are not finite.
    """
    if cost.ndim != 2 or 0 in cost.shape or not cost.isfinite().all():
        raise ValueError(f'costs must be finite, of the shape (M, N) without a 0, got {tuple(cost.shape)}')
    rows, columns = cost.shape
    skewed = _skew(cost.double().cpu()[None])[:, 0]
    table = skewed.new_full((len(skewed) + 2, rows + 1), torch.inf)
    table[0, 0] = 0
    for number in range(2, len(table)):
        low, high = max(1, number - columns), min(rows, number - 1) + 1
        one, two = table[number - 1], table[number - 2, low - 1 : high - 1]
        least = torch.minimum(torch.minimum(one[low:high], one[low - 1 : high - 1]), two)
        torch.add(least, skewed[number - 2, low - 1 : high - 1], out=table[number, low:high])
    accumulated = _unskew(table[2:, None, 1:], columns)[0]
    first, second = _walk_back(accumulated)
    return Path(float(accumulated[-1, -1]), accumulated, first, second)


def _walk_back(table: Tensor) -> tuple[Tensor, Tensor]:
    values = F.pad(table, (1, 0, 1, 0), value=torch.inf).numpy()
    i, j = table.shape
    steps = [(i, j)]
    while (i, j) != (1, 1):
        i, j = min((i - 1, j - 1), (i - 1, j), (i, j - 1), key=values.__getitem__)
        steps.append((i, j))
    first, second = torch.tensor(steps[::-1]).unbind(1)
    return first - 1, second - 1
