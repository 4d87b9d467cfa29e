"""Label propagation from windows in context frames; in distant frames, the windows are searched for first (MAST).

The query is cut into tiles, as in :mod:`mmsigma.ops.affinity`, so the full affinity matrix is never in memory. A window
that lies between cells does not require resampled features either: similarities are linear in the features, so those of
the surrounding whole cells are interpolated instead.

Shapes of the private functions: a tile of the query has q cells, a window p x p places with p = 2 * radius + 1, and the
region of a frame that the windows of a tile cover together has m x n cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.fast_linear import linear
from mmsigma.ops.precision import full_float32

_TILE = 12  # side of a tile in cells


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
    """Propagate labels to a frame by one softmax over the windows of all frames of the memory (MAST, Lai et al. 2020).

    A window is a square of (2 * ``radius`` + 1) ** 2 cells centred on the query cell's own position. In frames more
    than ``near`` frames away, each cell has a window centre of its own, see :func:`search_windows`. Dot products are
    neither normalised nor divided by a temperature. Positions outside a frame have similarity 0 and no label, so the
    labels of cells near the border sum to less than 1.

    Args:
        query: Features of the query frame, ``(h, w, C)``.
        memory: Features of the context frames, ``(T, h, w, C)``.
        labels: Labels of the memory cells, ``(T, h, w, V)``.
        gaps: Distance of each context frame from the query, in frames, of length T.
        radius: Half-width of the windows in cells.
        near: Largest gap, in frames, at which windows are not searched.
        max_dilation: Upper limit of the search's dilation, which is ``gap // near + 1``.

    Returns:
        Soft labels ``(h, w, V)``, float32.

    Raises:
        ValueError: If shapes do not match, or the memory is empty.
    """
    _check_memory(query, memory, labels, gaps)
    known = [index for index, gap in enumerate(gaps) if gap <= near]  # near frames, in which no window is searched
    around, values = _framed(memory[known], radius), _framed(labels[known].float(), radius)
    far = [index for index, gap in enumerate(gaps) if gap > near]
    centres = [search_windows(query, memory[i], radius, min(max_dilation, gaps[i] // near + 1)) for i in far]
    result = labels.new_zeros(*query.shape[:2], labels.shape[-1], dtype=torch.float32)
    with full_float32(query.device.type):  # similarities are in the hundreds, at which TF32 errs by 0.1
        for rows, columns in _tiles(query):
            tile = query[rows, columns].flatten(0, 1)  # (q, C)
            windows = [_distant(tile, memory[i], at[rows, columns], radius) for i, at in zip(far, centres, strict=True)]
            # one (p * p, q) per far frame, then one (T_near * m * n, q) for all near frames together
            logits = [window.logits for window in windows]
            if known:
                logits.append(_windowed_logits(query, around, rows, columns, radius))
            # one softmax over all frames, then cut up by frame again
            shares = torch.cat(logits).softmax(dim=0).split([len(part) for part in logits])
            # `shares` has one entry more than `far` if there are near frames
            found = [window.labels(labels[i], share) for i, window, share in zip(far, windows, shares, strict=False)]
            if known:
                found.append(shares[-1].T @ _region(values, rows, columns, radius).flatten(0, 2))
            result[rows, columns] = torch.stack(found).sum(dim=0).view(result[rows, columns].shape)
    return result


def _check_memory(query: Tensor, memory: Tensor, labels: Tensor, gaps: Sequence[int]) -> None:
    if query.shape != memory.shape[1:] or labels.shape[:3] != memory.shape[:3] or len(gaps) != len(memory):
        raise ValueError(
            f'query {tuple(query.shape)}, memory {tuple(memory.shape)}, labels {tuple(labels.shape)} and '
            f'{len(gaps)} gaps do not match: expected (h, w, C), (T, h, w, C), (T, h, w, V), T'
        )
    if not len(memory):
        raise ValueError('the memory is empty')


@torch.no_grad()
def search_windows(query: Tensor, frame: Tensor, radius: int, dilation: int) -> Tensor:
    """Find the centre of each query cell's window in a distant frame.

    The centre is the mean position under a softmax over a coarse window, which consists of every ``dilation``-th cell.
    Positions outside the frame take part with similarity 0.

    Args:
        query: Features of the query frame, ``(h, w, C)``.
        frame: Features of the distant frame, ``(h, w, C)``.
        radius: Half-width of the coarse window in steps of ``dilation`` cells.
        dilation: Distance between neighbouring cells of the coarse window, in cells.

    Returns:
        Row and column of each cell's window centre, ``(h, w, 2)``, float32.
    """
    places = torch.empty(*query.shape[:2], 2, device=query.device)
    for top in range(min(dilation, query.shape[0])):
        for left in range(min(dilation, query.shape[1])):
            # Cells with equal remainders modulo `dilation` only see each other: on this sub-grid, the coarse window is
            # an ordinary one.
            every = (slice(top, None, dilation), slice(left, None, dilation))
            places[every] = _mean_places(query[every], frame[every], radius) * dilation
            places[every] += torch.tensor([top, left], device=query.device)
    return places


def _mean_places(query: Tensor, frame: Tensor, radius: int) -> Tensor:
    """Return the mean position (row, column) under the softmax over each cell's window, ``(h, w, 2)``."""
    around = _framed(frame[None], radius)
    axes = (torch.arange(-radius, side + radius, device=query.device) for side in query.shape[:2])
    # positions of all cells, including the border, laid out as `around`: (1, h + 2 radius, w + 2 radius, 2)
    grid = torch.stack(torch.meshgrid(*axes, indexing='ij'), dim=-1).float()[None]
    result = torch.empty(*query.shape[:2], 2, device=query.device)
    with full_float32(query.device.type):
        for rows, columns in _tiles(query):
            weights = _windowed_logits(query, around, rows, columns, radius).softmax(dim=0)  # (m * n, q)
            means = weights.T @ _region(grid, rows, columns, radius).flatten(0, 2)
            result[rows, columns] = means.view(result[rows, columns].shape)
    return result


def _tiles(query: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of each tile of the query ``(h, w, C)``."""
    height, width = query.shape[:2]
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            yield slice(y, min(y + _TILE, height)), slice(x, min(x + _TILE, width))


def _framed(maps: Tensor, radius: int) -> Tensor:
    """Pad maps ``(T, h, w, C)`` with ``radius`` cells of zeros on all sides."""
    return F.pad(maps, (0, 0, radius, radius, radius, radius))


def _region(framed: Tensor, rows: slice, columns: slice, radius: int) -> Tensor:
    """Return the cells of padded maps that any cell of a tile may look at, ``(T, m, n, C)``.

    Row r of the padded maps is row r - radius of the frame, so the slices begin ``radius`` cells before the tile.
    """
    return framed[:, rows.start : rows.stop + 2 * radius, columns.start : columns.stop + 2 * radius]


def _windowed_logits(query: Tensor, framed: Tensor, rows: slice, columns: slice, radius: int) -> Tensor:
    """Return similarities of a region's cells to a tile's, ``(T * m * n, q)``, -inf outside each cell's window."""
    region = _region(framed, rows, columns, radius)
    logits = linear(region.flatten(0, 2).float(), query[rows, columns].flatten(0, 1).float())
    # Offset of region row i from the first row of the window of tile row r, (m, rows), and the same for columns: inside
    # if it is between 0 and 2 * radius.
    dy, dx = (
        torch.arange(size, device=query.device)[:, None] - torch.arange(size - 2 * radius, device=query.device)
        for size in region.shape[1:3]
    )
    outside_y, outside_x = ((offset < 0) | (offset > 2 * radius) for offset in (dy, dx))
    outside = outside_y[:, None, :, None] | outside_x[None, :, None, :]  # (m, n, rows, columns), for every frame
    bias = torch.zeros(outside.shape, device=query.device).masked_fill_(outside, -torch.inf)
    logits.view(len(region), -1, logits.shape[1]).add_(bias.view(-1, logits.shape[1]))
    return logits


@dataclass(frozen=True)
class _Distant:
    """Windows centred between the cells of one distant frame, one for each of the q cells of a tile.

    A window of p x p places lies within (p + 1) x (p + 1) whole cells, between which it is interpolated bilinearly.
    """

    logits: Tensor  # (p * p, q), interpolated similarities
    index: Tensor  # ((p + 1) ** 2, q), whole cells as indices into the region; its size for those outside the frame
    part: Tensor  # (2, q), fraction 0..1 by which the places lie below and to the right of whole cells
    region: tuple[slice, slice]  # rows and columns of the frame that the windows cover together

    def labels(self, labels: Tensor, weights: Tensor) -> Tensor:
        """Return interpolated labels ``(q, V)`` of a frame's ``(h, w, V)``, summed with weights ``(p * p, q)``."""
        side, (below, right) = int(len(self.index) ** 0.5), self.part
        # The transpose of interpolation: each place's weight is split between the rows above and below it, then between
        # the columns left and right of it. (p, p, q) -> (p + 1, p, q) -> (p + 1, p + 1, q).
        weights = weights.view(side - 1, side - 1, -1)
        weights = F.pad(weights * (1 - below), (0, 0, 0, 0, 0, 1)) + F.pad(weights * below, (0, 0, 0, 0, 1, 0))
        weights = F.pad(weights * (1 - right), (0, 0, 0, 1)) + F.pad(weights * right, (0, 0, 1, 0))
        values = labels[self.region].flatten(0, 1).float()  # (m * n, V)
        # total weight of every cell of the region; the last row collects what is outside the frame, and is dropped
        shares = weights.new_zeros(len(values) + 1, weights.shape[-1])
        shares.scatter_add_(0, self.index, weights.flatten(0, 1))
        return shares[:-1].T @ values


def _distant(tile: Tensor, frame: Tensor, centres: Tensor, radius: int) -> _Distant:
    """Lay the windows of a tile's cells in a distant frame.

    Args:
        tile: Features of the tile's cells, ``(q, C)``.
        frame: Features of the distant frame, ``(h, w, C)``.
        centres: Row and column of each cell's window centre, of the tile's shape, ``(.., .., 2)``.
        radius: Half-width of the windows in cells.

    Returns:
        The windows with the similarities at their places.
    """
    centres = centres.flatten(0, 1).T  # (2, q)
    whole = centres.floor()
    steps = torch.arange(2 * radius + 2, device=tile.device)[:, None] - radius
    places = [start.long() + steps for start in whole]  # rows and columns of the whole cells, (p + 1, q) each
    # `frame.shape` has the channels as a third entry, which zip leaves out
    inside = [(axis >= 0) & (axis < side) for axis, side in zip(places, frame.shape, strict=False)]
    limits = [
        (min(max(int(axis.min()), 0), side), min(max(int(axis.max()) + 1, 0), side))
        for axis, side in zip(places, frame.shape, strict=False)
    ]
    (top, bottom), (left, right) = limits
    region = (slice(top, bottom), slice(left, right))
    cells = frame[region].flatten(0, 1)  # (m * n, C)
    # index of each whole cell in the region, (p + 1, p + 1, q)
    index = (places[0] - top)[:, None] * (right - left) + (places[1] - left)
    index = index.masked_fill(~(inside[0][:, None] & inside[1]), len(cells)).flatten(0, 1)
    # (m * n + 1, q); the last row is the similarity 0 of everything outside the frame
    similarity = (
        F.pad(linear(cells.float(), tile.float()), (0, 0, 0, 1)) if len(cells) else centres.new_zeros(1, len(tile))
    )
    part = centres - whole
    logits = similarity.gather(0, index).view(len(steps), len(steps), -1)  # (p + 1, p + 1, q)
    logits = torch.lerp(logits[:-1], logits[1:], part[0])
    logits = torch.lerp(logits[:, :-1], logits[:, 1:], part[1])
    return _Distant(logits.flatten(0, 1), index, part, region)
