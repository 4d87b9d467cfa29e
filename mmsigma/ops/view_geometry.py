"""What a flip and a zoom-in crop of a picture do to its coordinates and to maps of its features."""

import torch
import torch.nn.functional as F
from torch import Tensor


def view_affine(centre: Tensor, zoom: Tensor, flip: Tensor, size: int | tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Affine maps of normalised coordinates between a picture and a view of it: flipped first, then cropped, resized.

    Args:
        centre: Centre of the crop minus that of the picture (B, 2), (dy, dx) in pixels.
        zoom: Side of the crop relative to the picture's (B,).
        flip: Whether the picture is flipped from left to right (B,), bool.
        size: Side of the picture in pixels, or (height, width).

    Returns:
        From picture to view and back, (B, 2, 3) each, as of :func:`torch.nn.functional.affine_grid`.
    """
    height, width = (size, size) if isinstance(size, int) else size
    sign = 1 - 2 * flip.to(zoom.dtype)
    dy, dx = centre.to(zoom.dtype).unbind(1)
    dy, dx, zero = 2 * dy / height, 2 * dx / width, torch.zeros_like(zoom)
    there = torch.stack([sign / zoom, zero, -dx / zoom, zero, 1 / zoom, -dy / zoom], dim=1)
    back = torch.stack([sign * zoom, zero, sign * dx, zero, zoom, dy], dim=1)
    return there.view(-1, 2, 3), back.view(-1, 2, 3)


def warp_to_view(maps: Tensor, back: Tensor) -> Tensor:
    """Maps (B, C, h, w) of pictures as they would be of their views: the nearest cell, 0 outside (DUL).

    ``back`` (B, 2, 3) leads from coordinates of the view to those of the picture; see :func:`view_affine`.
    """
    grid = F.affine_grid(back.to(maps.dtype), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode='nearest', padding_mode='zeros', align_corners=False)
