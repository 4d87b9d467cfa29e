"""Which cells of a memory of frames look like a cell of the query frame: top-k affinity inside a window.

The query is cut into tiles. A tile is compared only with the cells that any of its own may look at, and never are all
similarities of a frame in memory: for the first and the last 20 frames of 60 x 107 cells they would take 3.5 GB.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.fast_linear import linear

_TILE = 12


class TopkAffinity(NamedTuple):
    """For every query cell the k most similar memory cells.

    Attributes:
        weights: (h * w, k), softmax of the similarities; 0 where the window holds fewer cells.
        indices: (h * w, k), int64, cells of the memory counted as frame * h * w + y * w + x.
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
    window: str = 'circle',
    num_free: int = 1,
) -> TopkAffinity:
    """Softmax over the k most similar cells of all frames of the memory (CRW, Jabri et al. 2020; DINO; Mask-VOS).

    Args:
        query: Features of the query frame (h, w, C), of unit length for cosine similarity.
        memory: Features of earlier frames (T, h, w, C).
        k: Number of cells to keep.
        temperature: Divides the dot products.
        radius: Half-width of the window in cells: ``'circle'`` admits distances strictly below it, ``'square'``
            offsets up to and including it in each direction. None admits everything.
        window: ``'circle'`` (CRW, Mask-VOS) or ``'square'`` (DINO).
        num_free: How many frames at the beginning of the memory have no window.

    Returns:
        Weights and indices, most similar first.

    Raises:
        ValueError: If shapes do not fit, ``window`` is unknown, or ``radius`` is not positive.
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
    exact = torch.promote_types(query.dtype, torch.float32)  # half precision is for the similarities only
    weights = query.new_empty(height, width, k, dtype=exact)
    indices = torch.empty(height, width, k, dtype=torch.int64, device=query.device)
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
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
            missing = (0, 0, 0, k - len(best))  # in a small window, rows below
            best, order = F.pad(best, missing, value=-torch.inf), F.pad(order, missing)
            shape = (*tile.shape[:2], k)
            weights[y : y + _TILE, x : x + _TILE] = (best.to(exact) / temperature).softmax(dim=0).T.reshape(shape)
            indices[y : y + _TILE, x : x + _TILE] = torch.cat(cells).gather(0, order).T.reshape(shape)
    return TopkAffinity(weights.flatten(0, 1), indices.flatten(0, 1))


def _largest_in_window(
    tile: Tensor, frames: Tensor, corner: tuple[int, int], radius: float, window: str, k: int
) -> tuple[Tensor, Tensor]:
    """Largest similarities (k, q) of a tile's cells to cells near them, and the indices of those cells."""
    reach = math.floor(radius) if window == 'square' else math.ceil(radius) - 1
    (top, bottom), (left, right) = (
        (max(start - reach, 0), min(start + side + reach, limit))
        for start, side, limit in zip(corner, tile.shape[:2], frames.shape[1:3], strict=True)
    )
    region = frames[:, top:bottom, left:right]
    similarity = linear(region.flatten(0, 2), tile.flatten(0, 1))

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
    """Where cells ``start`` to ``stop`` of an axis are, seen from the tile's: (stop - start, side)."""
    return torch.arange(start, stop, device=device)[:, None] - torch.arange(corner, corner + side, device=device)


def _largest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """``values.topk(k, dim=0)`` of (M, q), several times faster where M is large.

    The k largest lie in the k blocks with the largest maxima; only those blocks are searched.
    """
    total, columns = values.shape
    block = math.isqrt(max(total // k, 1))
    if block < 4:
        return values.topk(min(k, total), dim=0)
    whole = total // block * block
    blocks = values[:whole].view(-1, block, columns)
    best = blocks.amax(dim=1).topk(k, dim=0).indices
    inside = torch.arange(block, device=values.device)[:, None]
    candidates = blocks.gather(0, best[:, None].expand(-1, block, -1)).flatten(0, 1)
    places = (best[:, None] * block + inside).flatten(0, 1)
    rest = torch.arange(whole, total, device=values.device)[:, None].expand(-1, columns)
    found, order = torch.cat([candidates, values[whole:]]).topk(k, dim=0)
    return found, torch.cat([places, rest]).gather(0, order)


def propagate(affinity: TopkAffinity, values: Tensor) -> Tensor:
    """Weighted sums of what the memory's cells carry.

    Args:
        affinity: Of a query frame to the memory.
        values: (T, h, w, V), labels or features of the memory's cells.

    Returns:
        (h, w, V).
    """
    height, width, channels = values.shape[1:]
    chosen = values.reshape(-1, channels)[affinity.indices]
    return torch.einsum('qk,qkv->qv', affinity.weights.to(values.dtype), chosen).view(height, width, channels)
