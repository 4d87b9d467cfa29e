"""The scheme of MAST (CVPR 2020): colours are copied from an earlier frame, by features that do not see them."""

import torch
from torch import Tensor, nn

from mmsigma.models.mask_vos.correspondence.mast_loss import photometric_loss
from mmsigma.models.mask_vos.correspondence.short_long import ClipViews
from mmsigma.models.mask_vos.key_encoders import MASTKeyEncoder
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

    Raises:
        TypeError: From ``loss``, if the encoder has no features of Lab colours.
    """

    uses_keys = False

    def __init__(self, weight: float = 1.0, radius: int = 6) -> None:
        super().__init__()
        self.weight, self.radius = weight, radius

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: nn.Module) -> dict[str, Tensor]:
        """Loss of clips; keys and views are not needed."""
        if not isinstance(encoder, MASTKeyEncoder):
            raise TypeError(
                f'PhotometricCorrespondence needs a MASTKeyEncoder as backbone, got {type(encoder).__name__}'
            )
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
