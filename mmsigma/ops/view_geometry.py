"""Geometry of views: what a flip and a zoom-in crop do to image coordinates and to feature maps (DUL)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def view_affine(centre: Tensor, zoom: Tensor, flip: Tensor, size: int | tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the affine maps between the normalised coordinates of an image and of a view of it.

    A view is made by flipping the image, then cropping and resizing it.

    Args:
        centre: Offset (dy, dx) of the crop's centre from the image's, in pixels, ``(B, 2)``.
        zoom: Side of the crop relative to that of the image, ``(B,)``.
        flip: Whether the image is flipped horizontally, ``(B,)``, bool.
        size: Side of the image in pixels, or (height, width).

    Returns:
        Map from image to view coordinates and its inverse, ``(B, 2, 3)`` each, in the convention of
        :func:`torch.nn.functional.affine_grid`.
    """
    height, width = (size, size) if isinstance(size, int) else size
    sign = 1 - 2 * flip.to(zoom.dtype)
    dy, dx = centre.to(zoom.dtype).unbind(1)
    dy, dx, zero = 2 * dy / height, 2 * dx / width, torch.zeros_like(zoom)
    there = torch.stack([sign / zoom, zero, -dx / zoom, zero, 1 / zoom, -dy / zoom], dim=1)
    back = torch.stack([sign * zoom, zero, sign * dx, zero, zoom, dy], dim=1)
    return there.view(-1, 2, 3), back.view(-1, 2, 3)


def warp_to_view(maps: Tensor, back: Tensor) -> Tensor:
    """Resample feature maps of images as feature maps of their views.

    Args:
        maps: Feature maps ``(B, C, h, w)`` of the images.
        back: Affine map ``(B, 2, 3)`` from view to image coordinates, the second result of :func:`view_affine`.

    Returns:
        Maps ``(B, C, h, w)``: the nearest cell's values, and 0 outside the image.
    """
    grid = F.affine_grid(back.to(maps.dtype), list(maps.shape), align_corners=False)
    return F.grid_sample(maps, grid, mode='nearest', padding_mode='zeros', align_corners=False)
