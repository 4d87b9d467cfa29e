"""A correspondence scheme of one's own for Mask-VOS: a cell of a frame finds itself in another view of that frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews, second_views
from mmsigma.models.interfaces import VisualEncoder
from mmsigma.ops import warp_to_view
from mmsigma.registry import MODELS


@MODELS.register_module()
class ViewCorrespondence(nn.Module):
    """Cross-entropy of each cell's place, among all cells of the view.

    Args:
        weight: Weight of the loss.
        temperature: Temperature that similarities are divided by.
    """

    uses_keys = True  # the keys of the clip's images are computed once and handed over
    encoder_interface = VisualEncoder

    def __init__(self, weight: float = 1.0, temperature: float = 0.05) -> None:
        super().__init__()
        self.weight, self.temperature = weight, temperature

    def loss(self, keys: Tensor, clip: ClipViews, encoder: VisualEncoder) -> dict[str, Tensor]:
        """Loss of clips, from the keys of their images (B, T, D, h, w), for the first frame of each."""
        views, back = second_views(clip)
        frame = warp_to_view(keys[:, 0], back).flatten(2)  # (B, D, h w), cells where the view shows them
        view = encoder(views[:, 0]).flatten(2)
        logits = frame.transpose(1, 2) @ view / self.temperature  # (B, cells of the frame, cells of the view)
        place = torch.arange(logits.shape[-1], device=logits.device).expand(len(logits), -1)
        return {'loss_view': self.weight * F.cross_entropy(logits.flatten(0, 1), place.flatten())}
