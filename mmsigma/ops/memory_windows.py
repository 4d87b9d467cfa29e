"""Labels from windows of several earlier frames; in frames long ago, the windows are looked for first (MAST).

The query is cut into tiles, as in :mod:`mmsigma.ops.affinity`, and never are all similarities of a frame in memory. A
window that lies between cells needs no sampling of features either: similarities are linear in them, so those of the
whole cells around it are interpolated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.fast_linear import full_float32, linear

_TILE = 12


@torch.no_grad()
def propagate_windows(
    query: Tensor,
    memory: Tensor,
    labels: Tensor,
    gaps: Sequence[int],
    *,
    radius: int = 12,
    near: int = 15,
    max_dilation: int = 4,
) -> Tensor:
    """Labels of a frame by one softmax over the windows of all frames of the memory (MAST, Lai et al. 2020).

    A window is a square of (2 * ``radius`` + 1) ** 2 cells around a cell's own place; in frames more than ``near``
    away, around a place of its own for each cell and frame, see :func:`search_windows`. Dot products are neither
    normalised nor divided by a temperature. What lies outside a frame has similarity 0 and no label at all, so that
    near borders the labels of a cell sum to less than 1.

    Args:
        query: Features (h, w, C).
        memory: Features of earlier frames (T, h, w, C).
        labels: Labels of their cells (T, h, w, V).
        gaps: How many frames each of them is away, (T,).
        radius: Of the windows, in cells.
        near: Frames up to so far away are not searched.
        max_dilation: Of the search; it is ``gap // near + 1``, and not more than this.

    Returns:
        Soft labels (h, w, V), float32.

    Raises:
        ValueError: If shapes do not fit, or the memory is empty.
    """
    if query.shape != memory.shape[1:] or labels.shape[:3] != memory.shape[:3] or len(gaps) != len(memory):
        raise ValueError(
            f'query {tuple(query.shape)}, memory {tuple(memory.shape)}, labels {tuple(labels.shape)} and '
            f'{len(gaps)} gaps do not go together: (h, w, C), (T, h, w, C), (T, h, w, V), T'
        )
    if not len(memory):
        raise ValueError('the memory is empty')
    known = [index for index, gap in enumerate(gaps) if gap <= near]
    around, values = _framed(memory[known], radius), _framed(labels[known].float(), radius)
    far = [index for index, gap in enumerate(gaps) if gap > near]
    centres = [search_windows(query, memory[i], radius, min(max_dilation, gaps[i] // near + 1)) for i in far]
    result = labels.new_zeros(*query.shape[:2], labels.shape[-1], dtype=torch.float32)
    with full_float32(query.device.type):  # similarities are in the hundreds: TF32 would be wrong by 0.1
        for rows, columns in _tiles(query):
            tile = query[rows, columns].flatten(0, 1)
            windows = [_distant(tile, memory[i], at[rows, columns], radius) for i, at in zip(far, centres, strict=True)]
            logits = [window.logits for window in windows]
            if known:
                logits.append(_windowed_logits(query, around, rows, columns, radius))
            shares = torch.cat(logits).softmax(dim=0).split([len(part) for part in logits])
            found = [window.labels(labels[i], share) for i, window, share in zip(far, windows, shares, strict=False)]
            if known:
                found.append(shares[-1].T @ _region(values, rows, columns, radius).flatten(0, 2))
            result[rows, columns] = torch.stack(found).sum(dim=0).view(result[rows, columns].shape)
    return result


@torch.no_grad()
def search_windows(query: Tensor, frame: Tensor, radius: int, dilation: int) -> Tensor:
    """Where in a frame long ago to lay the window of each cell: the mean place under a softmax over a coarse window.

    The coarse window has every ``dilation``-th cell. Places outside the frame take part, with similarity 0.

    Args:
        query: Features (h, w, C).
        frame: Features (h, w, C).
        radius: Of the coarse window, in steps of ``dilation`` cells.
        dilation: Cells between two of the window.

    Returns:
        Row and column of each cell's centre of search, (h, w, 2), float32.
    """
    places = torch.empty(*query.shape[:2], 2, device=query.device)
    for top in range(min(dilation, query.shape[0])):
        for left in range(min(dilation, query.shape[1])):
            # cells of one remainder see none but each other, a plain window among themselves
            every = (slice(top, None, dilation), slice(left, None, dilation))
            places[every] = _mean_places(query[every], frame[every], radius) * dilation
            places[every] += torch.tensor([top, left], device=query.device)
    return places


def _mean_places(query: Tensor, frame: Tensor, radius: int) -> Tensor:
    around = _framed(frame[None], radius)
    axes = (torch.arange(-radius, side + radius, device=query.device) for side in query.shape[:2])
    grid = torch.stack(torch.meshgrid(*axes, indexing='ij'), dim=-1).float()[None]
    result = torch.empty(*query.shape[:2], 2, device=query.device)
    with full_float32(query.device.type):
        for rows, columns in _tiles(query):
            weights = _windowed_logits(query, around, rows, columns, radius).softmax(dim=0)
            means = weights.T @ _region(grid, rows, columns, radius).flatten(0, 2)
            result[rows, columns] = means.view(result[rows, columns].shape)
    return result


def _tiles(query: Tensor) -> Iterator[tuple[slice, slice]]:
    height, width = query.shape[:2]
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            yield slice(y, min(y + _TILE, height)), slice(x, min(x + _TILE, width))


def _framed(maps: Tensor, radius: int) -> Tensor:
    """Maps (T, h, w, C) with ``radius`` cells of zeros all around."""
    return F.pad(maps, (0, 0, radius, radius, radius, radius))


def _region(framed: Tensor, rows: slice, columns: slice, radius: int) -> Tensor:
    """The cells that any cell of a tile may look at."""
    return framed[:, rows.start : rows.stop + 2 * radius, columns.start : columns.stop + 2 * radius]


def _windowed_logits(query: Tensor, framed: Tensor, rows: slice, columns: slice, radius: int) -> Tensor:
    """Similarities of a region's cells to a tile's (T * m * n, q), -inf outside each one's window."""
    region = _region(framed, rows, columns, radius)
    logits = linear(region.flatten(0, 2), query[rows, columns].flatten(0, 1)).float()
    dy, dx = (
        torch.arange(size, device=query.device)[:, None] - torch.arange(size - 2 * radius, device=query.device)
        for size in region.shape[1:3]
    )
    outside_y, outside_x = ((offset < 0) | (offset > 2 * radius) for offset in (dy, dx))
    outside = outside_y[:, None, :, None] | outside_x[None, :, None, :]
    bias = torch.zeros(outside.shape, device=query.device).masked_fill_(outside, -torch.inf)
    logits.view(len(region), -1, logits.shape[1]).add_(bias.view(-1, logits.shape[1]))
    return logits


@dataclass(frozen=True)
class _Distant:
    """Windows between the cells of one frame, one for each of the q cells of a tile.

    A window of p x p places lies on (p + 1) x (p + 1) whole cells.
    """

    logits: Tensor  # (p * p, q)
    index: Tensor  # ((p + 1) ** 2, q), cells of the region; its size for those outside the frame
    part: Tensor  # (2, q), how far, 0..1, places lie below and right of whole cells
    region: tuple[slice, slice]

    def labels(self, labels: Tensor, weights: Tensor) -> Tensor:
        """Sums (q, V) of a frame's labels (h, w, V), interpolated at the places, weighted by (p * p, q)."""
        side, (below, right) = int(len(self.index) ** 0.5), self.part
        weights = weights.view(side - 1, side - 1, -1)
        weights = F.pad(weights * (1 - below), (0, 0, 0, 0, 0, 1)) + F.pad(weights * below, (0, 0, 0, 0, 1, 0))
        weights = F.pad(weights * (1 - right), (0, 0, 0, 1)) + F.pad(weights * right, (0, 0, 1, 0))
        values = labels[self.region].flatten(0, 1).float()
        shares = weights.new_zeros(len(values) + 1, weights.shape[-1])
        shares.scatter_add_(0, self.index, weights.flatten(0, 1))
        return shares[:-1].T @ values


def _distant(tile: Tensor, frame: Tensor, centres: Tensor, radius: int) -> _Distant:
    """Similarities of a tile's cells (q, C) to their windows around ``centres`` (.., .., 2) in a frame (h, w, C)."""
    centres = centres.flatten(0, 1).T
    whole = centres.floor()
    steps = torch.arange(2 * radius + 2, device=tile.device)[:, None] - radius
    places = [start.long() + steps for start in whole]
    inside = [(axis >= 0) & (axis < side) for axis, side in zip(places, frame.shape, strict=False)]
    limits = [
        (min(max(int(axis.min()), 0), side), min(max(int(axis.max()) + 1, 0), side))
        for axis, side in zip(places, frame.shape, strict=False)
    ]
    (top, bottom), (left, right) = limits
    region = (slice(top, bottom), slice(left, right))
    cells = frame[region].flatten(0, 1)
    index = (places[0] - top)[:, None] * (right - left) + (places[1] - left)
    index = index.masked_fill(~(inside[0][:, None] & inside[1]), len(cells)).flatten(0, 1)
    similarity = F.pad(linear(cells, tile).float(), (0, 0, 0, 1)) if len(cells) else centres.new_zeros(1, len(tile))
    part = centres - whole
    logits = similarity.gather(0, index).view(len(steps), len(steps), -1)
    logits = torch.lerp(logits[:-1], logits[1:], part[0])
    logits = torch.lerp(logits[:, :-1], logits[:, 1:], part[1])
    return _Distant(logits.flatten(0, 1), index, part, region)
