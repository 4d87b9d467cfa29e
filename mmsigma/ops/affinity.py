"""Affinity of a query frame to a memory of frames: the top k cells inside a window, and label propagation with them.

The query is cut into tiles. A tile is compared only with the memory cells that any of its cells may look at, so the
full affinity matrix is never in memory: for the first and the last 20 frames of 60 x 107 cells, it would take 3.5 GB.
"""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.fast_linear import linear

Window = Literal['circle', 'square']
_TILE = 12  # side of a tile in cells


class TopkAffinity(NamedTuple):
    """The k most similar memory cells of every query cell.

    Attributes:
        weights: Softmax of the similarities, ``(h * w, k)``; 0 where the window contains fewer than k cells.
        indices: Memory cells, numbered as frame * h * w + y * w + x, ``(h * w, k)``, int64.
    """

    weights: Tensor
    indices: Tensor


@torch.no_grad()
def topk_affinity(
    query: Tensor,
    memory: Tensor,
    *,
    k: int = 10,
    temperature: float = 0.05,
    radius: float | None = 12,
    window: Window = 'circle',
    num_free: int = 1,
) -> TopkAffinity:
    """Compute the affinity of each query cell to its k most similar cells in all frames of the memory.

    This is the affinity of CRW (Jabri et al. 2020), DINO and Mask-VOS: a softmax over the k largest dot products.

    Args:
        query: Features of the query frame, ``(h, w, C)``, of unit length for cosine similarity.
        memory: Features of the context frames, ``(T, h, w, C)``.
        k: Number of memory cells to keep per query cell.
        temperature: Divisor of the dot products.
        radius: Half-width of the window in cells: ``'circle'`` admits distances strictly below it, ``'square'``
            admits offsets up to and including it in each direction. None admits all cells.
        window: Shape of the window, ``'circle'`` (CRW, Mask-VOS) or ``'square'`` (DINO).
        num_free: Number of frames at the start of the memory that have no window.

    Returns:
        Weights and indices, the most similar cell first.

    Raises:
        ValueError: If shapes do not match, ``window`` is unknown, or ``radius`` is not positive.
    """
    if query.shape != memory.shape[1:]:
        raise ValueError(f'query {tuple(query.shape)} and frames {tuple(memory.shape[1:])} differ in shape (h, w, C)')
    if window not in ('circle', 'square'):
        raise ValueError(f"window must be 'circle' or 'square', got {window!r}")
    if radius is not None and radius <= 0:
        raise ValueError(f'radius must be positive, or None for no window, got {radius}')
    num_free = len(memory) if radius is None else min(num_free, len(memory))
    height, width, _ = query.shape
    free, near = memory[:num_free].flatten(0, 2), memory[num_free:]
    k = min(k, len(memory) * height * width)
    exact = torch.promote_types(query.dtype, torch.float32)  # similarities are ranked; only the memory may be half
    query, free = query.to(exact), free.to(exact)
    weights = query.new_empty(height, width, k)
    indices = torch.empty(height, width, k, dtype=torch.int64, device=query.device)
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            # q cells of the tile; `values` and `cells` collect candidates (up to k, q) from both parts of the memory
            tile = query[y : y + _TILE, x : x + _TILE]
            values, cells = [], []
            if len(free):
                found, index = _largest(linear(free, tile.flatten(0, 1)), k)
                values.append(found)
                cells.append(index)
            if len(near) and radius is not None:
                found, index = _largest_in_window(tile, near, (y, x), radius, window, k)
                values.append(found)
                cells.append(index + len(free))
            everything = torch.cat(values)
            best, order = everything.topk(min(k, len(everything)), dim=0)
            # a small window may contain fewer than k cells: pad with rows of weight 0
            missing = (0, 0, 0, k - len(best))
            best, order = F.pad(best, missing, value=-torch.inf), F.pad(order, missing)
            shape = (*tile.shape[:2], k)
            weights[y : y + _TILE, x : x + _TILE] = (best / temperature).softmax(dim=0).T.reshape(shape)
            indices[y : y + _TILE, x : x + _TILE] = torch.cat(cells).gather(0, order).T.reshape(shape)
    return TopkAffinity(weights.flatten(0, 1), indices.flatten(0, 1))


def _largest_in_window(
    tile: Tensor, frames: Tensor, corner: tuple[int, int], radius: float, window: Window, k: int
) -> tuple[Tensor, Tensor]:
    """Return the largest similarities ``(k, q)`` of a tile's q cells inside their windows, and where they are.

    Args:
        tile: Features of the tile, ``(m, n, C)`` with q = m * n.
        frames: Features of the windowed frames, ``(T, h, w, C)``.
        corner: Row and column of the tile's first cell in the query frame.
        radius: Half-width of the window in cells.
        window: Shape of the window.
        k: Number of cells to keep.

    Returns:
        Similarities and cell indices, ``(k, q)`` each; indices count frame * h * w + y * w + x in ``frames``.
    """
    # region of the frames that the windows of all cells of the tile cover together
    reach = math.floor(radius) if window == 'square' else math.ceil(radius) - 1
    (top, bottom), (left, right) = (
        (max(start - reach, 0), min(start + side + reach, limit))
        for start, side, limit in zip(corner, tile.shape[:2], frames.shape[1:3], strict=True)
    )
    region = frames[:, top:bottom, left:right]
    similarity = linear(region.flatten(0, 2).to(tile.dtype), tile.flatten(0, 1))  # (T * rows * columns, q)

    # offsets broadcast to (region rows, region columns, tile rows, tile columns); equal for all frames
    dy = _offsets(top, bottom, corner[0], tile.shape[0], tile.device)[:, None, :, None]
    dx = _offsets(left, right, corner[1], tile.shape[1], tile.device)[None, :, None, :]
    outside = (dy**2 + dx**2 >= radius**2) if window == 'circle' else (dy.abs() > radius) | (dx.abs() > radius)
    bias = torch.zeros(outside.shape, dtype=similarity.dtype, device=tile.device).masked_fill_(outside, -torch.inf)
    similarity.view(len(frames), -1, similarity.shape[1]).add_(bias.view(-1, similarity.shape[1]))

    found, index = _largest(similarity, k)
    rows, columns = bottom - top, right - left
    frame, y, x = index // (rows * columns), index // columns % rows + top, index % columns + left
    return found, (frame * frames.shape[1] + y) * frames.shape[2] + x


def _offsets(start: int, stop: int, corner: int, side: int, device: torch.device) -> Tensor:
    """Return the offsets of cells ``start`` to ``stop`` of an axis from the tile's cells, ``(stop - start, side)``."""
    return torch.arange(start, stop, device=device)[:, None] - torch.arange(corner, corner + side, device=device)


def _largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return ``values.topk(k, dim=0)`` of ``(M, q)``, several times faster for large M.

    In each column, the k largest values lie in the k blocks with the largest maxima, so only those blocks are searched.
    Blocks of about sqrt(M / k) rows balance the number of maxima, M / block, against that of candidates, k * block.
    """
    total, columns = values.shape
    block = math.isqrt(max(total // k, 1))
    if block < 4:
        return values.topk(min(k, total), dim=0)
    whole = total // block * block  # rows in complete blocks; the rest, fewer than `block`, are always searched
    blocks = values[:whole].view(-1, block, columns)
    best = blocks.amax(dim=1).topk(k, dim=0).indices  # block numbers, (k, q)
    inside = torch.arange(block, device=values.device)[:, None]
    candidates = blocks.gather(0, best[:, None].expand(-1, block, -1)).flatten(0, 1)  # (k * block, q)
    places = (best[:, None] * block + inside).flatten(0, 1)  # rows of the candidates in `values`
    rest = torch.arange(whole, total, device=values.device)[:, None].expand(-1, columns)
    found, order = torch.cat([candidates, values[whole:]]).topk(k, dim=0)
    return found, torch.cat([places, rest]).gather(0, order)


def propagate(affinity: TopkAffinity, values: Tensor) -> Tensor:
    """Propagate labels or features from the memory to the query frame, weighted by the affinity.

    Args:
        affinity: Affinity of the query frame to the memory.
        values: Labels or features of the memory cells, ``(T, h, w, V)``.

    Returns:
        Weighted sums ``(h, w, V)``.
    """
    height, width, channels = values.shape[1:]
    chosen = values.reshape(-1, channels)[affinity.indices]
    return torch.einsum('qk,qkv->qv', affinity.weights.to(values.dtype), chosen).view(height, width, channels)
