"""The scheme of MAST (CVPR 2020): colours are copied from an earlier frame, by features that do not see them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.interfaces import LabKeyEncoder
from mmsigma.registry import MODELS


@MODELS.register_module()
class PhotometricCorrespondence(nn.Module):
    """Each frame but the first is reconstructed from the one before it; with two frames per clip, as in MAST.

    One of the colour channels a and b, drawn for each step, is left out of what the encoder sees, which is scaled by
    3 / 2 in turn, and is what has to be reconstructed. The features compared are those at a stride of 4, of any length,
    not the keys.

    Args:
        weight: Of the loss.
        radius: Half-width of the window in cells (6).
    """

    uses_keys = False
    encoder_interface = LabKeyEncoder

    def __init__(self, weight: float = 1.0, radius: int = 6) -> None:
        super().__init__()
        self.weight, self.radius = weight, radius

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: LabKeyEncoder) -> dict[str, Tensor]:
        """Loss of clips; keys and views are not needed."""
        lab = encoder.lab(clip.images)
        seen, hidden = drop_colour(lab)
        maps = encoder.colour_features(seen.flatten(0, 1)).unflatten(0, lab.shape[:2])
        target, reference = maps[:, 1:].flatten(0, 1), maps[:, :-1].flatten(0, 1)
        later, earlier = hidden[:, 1:].flatten(0, 1), hidden[:, :-1].flatten(0, 1)
        return {'loss_photometric': self.weight * photometric_loss(target, reference, later, earlier, self.radius)}


def drop_colour(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Lab images (..., 3, H, W) without a or b, by chance, times 3 / 2; and the channel left out (..., 1, H, W)."""
    channel = 1 + int(torch.randint(2, ()))
    seen = 1.5 * lab
    seen[..., channel, :, :] = 0
    return seen, lab[..., channel : channel + 1, :, :]


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
