"""Conversion from RGB to perceptual colour (MAST)."""

import torch
from torch import Tensor

# sRGB to CIE XYZ under D65, with each row divided by the white point
_XYZ_OF_RGB = (
    (0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456),
    (0.212671, 0.715160, 0.072169),
    (0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754),
)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB images to CIE L*a*b*, scaled to about -1..1 as (L - 50) / 50, a / 127 and b / 127 (MAST).

    Args:
        rgb: Images ``(..., 3, H, W)`` in the range 0..1.

    Returns:
        Images ``(..., 3, H, W)`` with the channels L, a, b.
    """
    light = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055).clamp(min=0) ** 2.4, rgb / 12.92)
    xyz = torch.einsum('ij,...jhw->...ihw', torch.tensor(_XYZ_OF_RGB).to(rgb), light)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp(min=0) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(-3)
    return torch.stack([(116 * y - 66) / 50, 500 / 127 * (x - y), 200 / 127 * (y - z)], dim=-3)
