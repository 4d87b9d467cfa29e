"""Short-term and long-term correspondence of Mask-VOS (CVPR 2023, section 3.1, equations 11 to 15)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews, second_views
from mmsigma.models.interfaces import VisualEncoder
from mmsigma.ops.view_geometry import warp_to_view
from mmsigma.registry import MODELS

Encode = Callable[[Tensor], Tensor]  # from images (N, 3, H, W) to keys (N, D, h, w) of unit length


@MODELS.register_module()
class ShortLongCorrespondence(nn.Module):
    """The paper's: neighbouring frames match place by place, distant ones as their views do (equations 11 to 15).

    Frames 0 and 1 of a clip are neighbours, frame 2 is distant.

    Args:
        short_weight: Of the short-term loss (the paper: 0.1); 0 leaves it out.
        long_weight: Of the long-term loss (the paper: 0.5); 0 leaves it out.
        temperature: Divides the cosine similarity; the paper writes none.
    """

    uses_keys = True
    encoder_interface = VisualEncoder

    def __init__(self, short_weight: float = 0.1, long_weight: float = 0.5, temperature: float = 0.05) -> None:
        super().__init__()
        self.short_weight, self.long_weight, self.temperature = short_weight, long_weight, temperature

    def loss(self, keys: Tensor, clip: ClipViews, encode: Encode) -> dict[str, Tensor]:
        """Losses of clips.

        Args:
            keys: Of the images (B, T, D, h, w).
            clip: The clips.
            encode: For the views.
        """
        losses = {}
        views, back = second_views(clip)
        if self.short_weight:
            value = short_term_loss(warp_to_view(keys[:, 1], back), encode(views[:, 0]), self.temperature)
            losses['loss_short'] = self.short_weight * value
        if self.long_weight:
            with torch.no_grad():
                distant = encode(views[:, 2])
            value = long_term_loss(warp_to_view(keys[:, 2], back), distant, keys[:, 0], self.temperature)
            losses['loss_long'] = self.long_weight * value
        return losses


def short_term_loss(features: Tensor, views: Tensor, temperature: float = 0.05) -> Tensor:
    """Neighbouring frames: a cell matches the one at its place, among all cells of the other frame (equation 12).

    Args:
        features: Of frame t + 1, warped to the view (P, D, h, w).
        views: Of the view of frame t (P, D, h, w).
        temperature: Divides the cosine similarity; the paper has none.

    Returns:
        Mean over cells and pairs.
    """
    logits = _similarity(features, views) / temperature
    place = torch.arange(logits.shape[-1], device=logits.device).expand(len(logits), -1)
    return F.cross_entropy(logits.flatten(0, 1), place.flatten())


def long_term_loss(features: Tensor, views: Tensor, frames: Tensor, temperature: float = 0.05) -> Tensor:
    """Distant frames: a cell matches what its view matches best (equations 14 and 15); the match is not differentiated.

    Args:
        features: Of frame t', warped to the view (P, D, h, w).
        views: Of the view of frame t' (P, D, h, w).
        frames: Of frame t as it is (P, D, h, w).
        temperature: Divides the cosine similarity; the paper has none.

    Returns:
        Mean over cells and pairs.
    """
    match = best_match(views, frames)
    logits = _similarity(features, frames) / temperature
    return F.cross_entropy(logits.flatten(0, 1), match.flatten())


@torch.no_grad()
def best_match(query: Tensor, memory: Tensor) -> Tensor:
    """The most similar cell of ``memory`` (P, D, h, w) for each cell of ``query``, (P, h * w)."""
    return _similarity(query, memory).argmax(dim=2)


def _similarity(query: Tensor, memory: Tensor) -> Tensor:
    """Cosine similarities (P, cells of the query, cells of the memory)."""
    query, memory = (F.normalize(maps.flatten(2), dim=1) for maps in (query, memory))
    return query.transpose(1, 2) @ memory
