"""Masks whose visible tubes follow what moves (MGMAE, ICCV 2023).

Bumps on a few cells of one frame, the base, are carried through the clip by optical flow. In every slot of time, the
tubes with most of the map are visible. A map ``(..., H, W)`` has one value per pixel, in 0..1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.masking import TokenSplit

_ROUNDING = 1e-3  # of positions, in pixels


def bump_map(cells: Tensor, grid: tuple[int, int], patch_size: int) -> Tensor:
    """Draw a bump around the centre of each chosen cell.

    A bump is ``exp(-(dx / p) ** 2 - (dy / p) ** 2)`` with the side p of a cell. Bumps are combined by their maximum,
    and the map is divided by its largest value.

    Args:
        cells: Indices of the chosen cells, ``(..., n)``, int64.
        grid: Rows and columns (h, w) of the cells.
        patch_size: Side of a cell in pixels.

    Returns:
        Map ``(..., h * patch_size, w * patch_size)``, float32.
    """
    height, width = grid
    profiles = []
    for position, size in ((cells // width, height), (cells % width, width)):
        pixels = torch.arange(size * patch_size, device=cells.device)
        centre = position[..., None] * patch_size + (patch_size - 1) / 2
        profiles.append((-((pixels - centre) / patch_size).square()).exp())  # (..., n, side)
    rows, columns = profiles
    bumps = (rows[..., :, None] * columns[..., None, :]).amax(dim=-3)
    return bumps / bumps.amax(dim=(-2, -1), keepdim=True)


def carry_map(base_map: Tensor, flows: Tensor, base: int, *, fill: bool = True) -> Tensor:
    """Carry the map of the base frame through a clip, frame by frame away from the base, in both directions of time.

    Each frame's map is read off that of its neighbour nearer to the base, bilinearly, with zeros outside. The release
    samples half a pixel off, since it scales coordinates for the corners but reads them for the borders of pixels.

    Args:
        base_map: Map of the base frame, ``(B, H, W)``.
        flows: Optical flow ``(B, T, 2, H, W)``, (x, y) in pixels, from each frame to that neighbour; that of the base
            is ignored.
        base: Number of the base frame.
        fill: Whether pixels that nothing is carried to have the value of the base frame's map there.

    Returns:
        Maps of all frames, ``(B, T, H, W)``.
    """
    num_frames = flows.shape[1]
    maps: list[Tensor] = [base_map] * num_frames
    for step, last in ((1, num_frames), (-1, -1)):
        for number in range(base + step, last, step):
            carried = _read_at(maps[number - step], flows[:, number])
            maps[number] = torch.where(carried == 0, base_map, carried) if fill else carried
    return torch.stack(maps, dim=1)


def _read_at(values: Tensor, flow: Tensor) -> Tensor:
    """Read ``(B, H, W)`` at every pixel plus its flow ``(B, 2, H, W)``."""
    height, width = values.shape[-2:]
    x = torch.arange(width, device=values.device) + flow[:, 0]
    y = torch.arange(height, device=values.device)[:, None] + flow[:, 1]
    places = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
    read = F.grid_sample(values[:, None], places.to(values.dtype), padding_mode='zeros', align_corners=True)[:, 0]
    # rounding leaves a trace of the border at whole pixels beside it
    outside = ((x + 1).minimum(width - x) < _ROUNDING) | ((y + 1).minimum(height - y) < _ROUNDING)
    return read.masked_fill(outside, 0)


def split_by_map(maps: Tensor, tubelet_size: int, patch_size: int, num_visible: int) -> TokenSplit:
    """Make the tubes visible that have most of a map, equally many in every slot of time.

    Args:
        maps: Maps of all frames, ``(B, T, H, W)``.
        tubelet_size: Number of frames of a tube.
        patch_size: Side of a tube in pixels.
        num_visible: Number of visible tubes of a slot. Of tubes with equal sums, those with the smaller index are
            visible.

    Returns:
        Indices of the visible and the masked tokens.
    """
    sums = F.avg_pool3d(maps[:, None], (tubelet_size, patch_size, patch_size))[:, 0].flatten(2)  # (B, T', h * w)
    order = sums.argsort(dim=2, descending=True, stable=True)
    starts = torch.arange(sums.shape[1], device=maps.device)[:, None] * sums.shape[2]
    parts = (order[..., :num_visible], order[..., num_visible:])
    return TokenSplit(*((part.sort(dim=2).values + starts).flatten(1) for part in parts))


def num_visible_tubes(num_cells: int, mask_ratio: float) -> int:
    """Return how many tubes of a slot of time are visible in motion-guided masks: int(cells * (1 - ratio)).

    Raises:
        ValueError: If that is none or all.
    """
    number = int(num_cells * (1 - mask_ratio))
    if not 0 < number < num_cells:
        raise ValueError(f'mask_ratio {mask_ratio} leaves {number} of {num_cells} cells visible: some must be, not all')
    return number
