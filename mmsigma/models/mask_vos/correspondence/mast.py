"""Correspondence scheme of MAST (CVPR 2020), which copies a colour channel, hidden from the encoder, between frames."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.interfaces import LabKeyEncoder
from mmsigma.ops.precision import at_least_float32, full_float32
from mmsigma.registry import MODELS


@MODELS.register_module()
class PhotometricCorrespondence(nn.Module):
    """Reconstruction of each frame from the frame before it; clips of two frames give the scheme of MAST.

    One of the colour channels a and b, drawn at every step, is hidden from the encoder and has to be reconstructed; the
    other channels are scaled by 3 / 2 to compensate. Features at a stride of 4 and of any length are compared instead
    of the keys.

    Args:
        weight: Weight of the loss.
        radius: Half-width of the window in cells (MAST: 6).
    """

    uses_keys = False
    encoder_interface = LabKeyEncoder

    def __init__(self, weight: float = 1.0, radius: int = 6) -> None:
        super().__init__()
        self.weight, self.radius = weight, radius

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: LabKeyEncoder) -> dict[str, Tensor]:
        """Compute the loss of clips; keys and second views are ignored."""
        lab = encoder.lab(clip.images)
        seen, hidden = drop_colour(lab)  # (B, T, 3, H, W) and (B, T, 1, H, W)
        maps = encoder.colour_features(seen.flatten(0, 1)).unflatten(0, lab.shape[:2])
        # pairs of neighbouring frames: (B * (T - 1), ...)
        target, reference = maps[:, 1:].flatten(0, 1), maps[:, :-1].flatten(0, 1)
        later, earlier = hidden[:, 1:].flatten(0, 1), hidden[:, :-1].flatten(0, 1)
        return {'loss_photometric': self.weight * photometric_loss(target, reference, later, earlier, self.radius)}


def drop_colour(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Drop channel a or b, drawn at random, from Lab images ``(..., 3, H, W)``.

    Returns:
        Images ``(..., 3, H, W)``, scaled by 3 / 2, with 0 as the dropped channel, and that channel, ``(..., 1, H, W)``.
    """
    channel = 1 + int(torch.randint(2, ()))
    seen = 1.5 * lab
    seen[..., channel, :, :] = 0
    return seen, lab[..., channel : channel + 1, :, :]


def window_logits(target: Tensor, reference: Tensor, radius: int) -> Tensor:
    """Compute the dot products of each cell with the cells of the reference in a square window.

    Args:
        target: Features ``(B, D, h, w)``.
        reference: Features ``(B, D, h, w)``, which are padded with zeros.
        radius: Half-width r of the window in cells.

    Returns:
        Dot products ``(B, (2 r + 1) ** 2, h, w)``, with the cells of a window row by row.
    """
    side, (height, width) = 2 * radius + 1, target.shape[2:]
    padded = F.pad(reference, (radius,) * 4)
    rows = [(target * padded[:, :, y : y + height, x : x + width]).sum(dim=1) for y in range(side) for x in range(side)]
    return torch.stack(rows, dim=1)


def reconstruct(target: Tensor, reference: Tensor, colours: Tensor, radius: int = 6) -> Tensor:
    """Reconstruct the colours of the target as means over a window of the reference, weighted by similarity.

    Cells outside the reference take part with a similarity and colours of 0, as in the release.

    Args:
        target: Features ``(B, D, h, w)``.
        reference: Features ``(B, D, h, w)``.
        colours: Colours of the reference, ``(B, V, h, w)``.
        radius: Half-width of the window in cells.

    Returns:
        Colours ``(B, V, h, w)``.
    """
    side, (height, width) = 2 * radius + 1, target.shape[2:]
    weights = window_logits(at_least_float32(target), at_least_float32(reference), radius).softmax(dim=1)
    # colours of the cells in each window: (B, V, (2 r + 1) ** 2, h, w)
    windows = F.unfold(F.pad(colours, (radius,) * 4), side).view(len(colours), -1, side * side, height, width)
    with full_float32(target.device.type):
        return torch.einsum('bkhw,bvkhw->bvhw', weights, windows.to(weights.dtype))


def photometric_loss(
    target: Tensor, reference: Tensor, target_lab: Tensor, reference_lab: Tensor, radius: int = 6
) -> Tensor:
    """Compute the smooth L1 distance of reconstructed and true colours, both scaled by 20.

    Args:
        target: Features of the frame, ``(B, D, h, w)``, of any length.
        reference: Features of an earlier frame, ``(B, D, h, w)``.
        target_lab: Colour channels to reconstruct, ``(B, V, H, W)``, with H a multiple of h.
        reference_lab: Same channels of the earlier frame, of which every (H / h)-th pixel is copied from.
        radius: Half-width of the window in cells.

    Returns:
        Mean over the pixels, a scalar.
    """
    stride = target_lab.shape[-1] // target.shape[-1]
    copied = reconstruct(target, reference, reference_lab[..., ::stride, ::stride], radius)
    enlarged = F.interpolate(copied, size=target_lab.shape[-2:], mode='bilinear', align_corners=False)
    return F.smooth_l1_loss(20 * enlarged, 20 * target_lab)
