"""Tables of accumulated costs and their gradients, cell by cell, compiled by numba.

:mod:`mmsigma.ops.soft_dtw` computes the same by vector operations, for other devices and without numba. Tables are
scaled as there: costs are divided by -gamma, so that minima become maxima, and have a border of one row and one column.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

# Cells of all pairs below which a second thread takes longer to start than it saves.
_CELLS_PER_THREAD = 1 << 17
_ONE: Any = np.float32(1)  # a float of Python would turn float32 into float64
_Array = np.ndarray[Any, Any]


def fill(scaled: Tensor, smooth: bool) -> Tensor:
    """Fill tables ``(B, M + 1, N + 1)`` in place, whose border is set and whose other cells hold the scaled costs.

    Args:
        scaled: Contiguous tables on the CPU.
        smooth: Whether the minimum is a mean with the weights of a softmax, rather than its log-sum-exp.

    Returns:
        Derivatives of each cell's minimum by its predecessors left, both and up, ``(B, M, N, 3)``.
    """
    batch, rows, columns = scaled.shape
    weights = scaled.new_empty(batch, rows - 1, columns - 1, 3)
    _over_threads(_fill, scaled, weights, smooth=smooth)
    return weights


def push_back(weights: Tensor, flow: Tensor) -> None:
    """Turn gradients by the cells of tables, ``(B, M, N)``, into gradients by the costs, in place.

    Args:
        weights: Derivatives from :func:`fill`.
        flow: Gradients, contiguous.
    """
    _over_threads(_push_back, weights, flow)


def _over_threads(kernel: Callable[..., None], *tensors: Tensor, **settings: Any) -> None:
    """Run a kernel, which holds no lock, on equal shares of the pairs in as many threads as torch uses."""
    arrays = [tensor.numpy() for tensor in tensors]
    cells = math.prod(arrays[0].shape[:3])
    number = min(torch.get_num_threads(), len(arrays[0]), cells // _CELLS_PER_THREAD)
    if number < 2:
        kernel(*arrays, **settings)
        return
    shares = zip(*(np.array_split(array, number) for array in arrays), strict=True)
    with ThreadPoolExecutor(number) as pool:  # threads that stayed would not survive a fork
        list(pool.map(lambda share: kernel(*share, **settings), shares))


@numba.njit(cache=True, nogil=True)
def _fill(tables: _Array, weights: _Array, smooth: bool) -> None:
    for table, weight in zip(tables, weights):  # noqa: B905  # numba's zip
        rows, columns, _ = weight.shape
        for number in range(rows + columns - 1):  # by anti-diagonals, whose cells do not wait for each other
            for i in range(max(0, number - columns + 1), min(number + 1, rows)):
                j = number - i
                left, both, up = table[i + 1, j], table[i, j], table[i, j + 1]
                top = max(left, both, up)
                left, both, up = left - top, both - top, up - top
                a, b, c = math.exp(left), math.exp(both), math.exp(up)
                total = a + b + c
                scale = _ONE / total
                a, b, c = a * scale, b * scale, c * scale
                if smooth:
                    above = a * left + b * both + c * up
                    a, b, c = a * (_ONE + left - above), b * (_ONE + both - above), c * (_ONE + up - above)
                else:
                    above = math.log(total)
                weight[i, j, 0], weight[i, j, 1], weight[i, j, 2] = a, b, c
                table[i + 1, j + 1] += top + above


@numba.njit(cache=True, nogil=True)
def _push_back(weights: _Array, flows: _Array) -> None:
    for weight, flow in zip(weights, flows):  # noqa: B905  # numba's zip
        rows, columns = flow.shape
        for i in range(rows - 1, -1, -1):
            for j in range(columns - 1, -1, -1):
                own = flow[i, j]
                if j:
                    flow[i, j - 1] += own * weight[i, j, 0]
                if i and j:
                    flow[i - 1, j - 1] += own * weight[i, j, 1]
                if i:
                    flow[i - 1, j] += own * weight[i, j, 2]
