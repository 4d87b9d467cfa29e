"""Reconstruction of colours by copying (MAST, CVPR 2020)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def window_logits(target: Tensor, reference: Tensor, radius: int) -> Tensor:
    """Dot products of each cell with those of the reference in a square window, (B, (2 r + 1) ** 2, h, w).

    Args:
        target: (B, C, h, w).
        reference: (B, C, h, w); outside of it there are zeros.
        radius: Half-width r of the window.
    """
    side, (height, width) = 2 * radius + 1, target.shape[2:]
    padded = F.pad(reference, (radius,) * 4)
    rows = [(target * padded[:, :, y : y + height, x : x + width]).sum(dim=1) for y in range(side) for x in range(side)]
    return torch.stack(rows, dim=1)


def reconstruct(target: Tensor, reference: Tensor, colours: Tensor, radius: int = 6) -> Tensor:
    """Colours (B, V, h, w) of the target's cells: means over a window of the reference, weighted by similarity.

    Places outside the reference take part with similarity and colour 0, as in the release.
    """
    side, (height, width) = 2 * radius + 1, target.shape[2:]
    weights = window_logits(target, reference, radius).softmax(dim=1)
    windows = F.unfold(F.pad(colours, (radius,) * 4), side).view(len(colours), -1, side * side, height, width)
    return torch.einsum('bkhw,bvkhw->bvhw', weights, windows)


def photometric_loss(
    target: Tensor, reference: Tensor, target_lab: Tensor, reference_lab: Tensor, radius: int = 6
) -> Tensor:
    """Smooth L1 of 20 times the reconstructed and the true colours of a frame.

    Args:
        target: Features of the frame (B, C, h, w), at any length.
        reference: Features of an earlier frame (B, C, h, w).
        target_lab: Colour channels to reconstruct (B, V, H, W), H a multiple of h.
        reference_lab: The same channels of the earlier frame; every (H / h)-th pixel is copied from.
        radius: Half-width of the window in cells.
    """
    stride = target_lab.shape[-1] // target.shape[-1]
    copied = reconstruct(target, reference, reference_lab[..., ::stride, ::stride], radius)
    enlarged = F.interpolate(copied, size=target_lab.shape[-2:], mode='bilinear', align_corners=False)
    return F.smooth_l1_loss(20 * enlarged, 20 * target_lab)
