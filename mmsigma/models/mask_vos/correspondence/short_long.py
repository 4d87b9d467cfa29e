"""Correspondence scheme of Mask-VOS (CVPR 2023): short-term and long-term (section 3.1, equations 11 to 15)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews, second_views
from mmsigma.models.interfaces import VisualEncoder
from mmsigma.ops.precision import at_least_float32, full_float32
from mmsigma.ops.view_geometry import warp_to_view
from mmsigma.registry import MODELS


@MODELS.register_module()
class ShortLongCorrespondence(nn.Module):
    """Scheme of the paper: neighbouring frames match at equal positions, distant ones as their views do.

    Frames 0 and 1 of a clip are neighbours, frame 2 is distant.

    Args:
        short_weight: Weight of the short-term loss (paper: 0.1); 0 leaves it out.
        long_weight: Weight of the long-term loss (paper: 0.5); 0 leaves it out.
        temperature: Divisor of the cosine similarity, which the paper does not have.
    """

    uses_keys = True
    encoder_interface = VisualEncoder

    def __init__(self, short_weight: float = 0.1, long_weight: float = 0.5, temperature: float = 0.05) -> None:
        super().__init__()
        self.short_weight, self.long_weight, self.temperature = short_weight, long_weight, temperature

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: VisualEncoder) -> dict[str, Tensor]:
        """Compute the losses of clips.

        Args:
            keys: Keys of the images, ``(B, T, D, h, w)``.
            clip: Clips with second views.
            encoder: Visual encoder, for the views.

        Raises:
            ValueError: If the clips have no second views.
        """
        assert keys is not None
        losses = {}
        views, back = second_views(clip)
        if self.short_weight:
            value = short_term_loss(warp_to_view(keys[:, 1], back), encoder(views[:, 0]), self.temperature)
            losses['loss_short'] = self.short_weight * value
        if self.long_weight:
            with torch.no_grad():
                distant = encoder(views[:, 2])
            value = long_term_loss(warp_to_view(keys[:, 2], back), distant, keys[:, 0], self.temperature)
            losses['loss_long'] = self.long_weight * value
        return losses


def short_term_loss(features: Tensor, views: Tensor, temperature: float = 0.05) -> Tensor:
    """Match each cell to the cell at its position, among all cells of the neighbouring frame (equation 12).

    Args:
        features: Features of frame t + 1, warped to the view, ``(P, D, h, w)``.
        views: Features of the view of frame t, ``(P, D, h, w)``.
        temperature: Divisor of the cosine similarity, which the paper does not have.

    Returns:
        Cross-entropy, averaged over cells and pairs, a scalar.
    """
    logits = _similarity(features, views) / temperature
    place = torch.arange(logits.shape[-1], device=logits.device).expand(len(logits), -1)
    return F.cross_entropy(logits.flatten(0, 1), place.flatten())


def long_term_loss(features: Tensor, views: Tensor, frames: Tensor, temperature: float = 0.05) -> Tensor:
    """Match each cell to the best match of its view in a distant frame (equations 14 and 15).

    Args:
        features: Features of frame t', warped to the view, ``(P, D, h, w)``.
        views: Features of the view of frame t', ``(P, D, h, w)``; their match has no gradient.
        frames: Features of frame t itself, ``(P, D, h, w)``.
        temperature: Divisor of the cosine similarity, which the paper does not have.

    Returns:
        Cross-entropy, averaged over cells and pairs, a scalar.
    """
    match = best_match(views, frames)
    logits = _similarity(features, frames) / temperature
    return F.cross_entropy(logits.flatten(0, 1), match.flatten())


@torch.no_grad()
def best_match(query: Tensor, memory: Tensor) -> Tensor:
    """Return the most similar cell of ``memory`` for each cell of ``query``, both ``(P, D, h, w)``: ``(P, h * w)``."""
    return _similarity(query, memory).argmax(dim=2)


def _similarity(query: Tensor, memory: Tensor) -> Tensor:
    """Compute cosine similarities of all cells, ``(P, h * w of the query, h * w of the memory)``.

    They are ranked, or divided by a temperature. In bfloat16, 29 % of the best matches were others, nearly all of them
    further up or to the left: of equal values, the first is taken.
    """
    query, memory = (F.normalize(at_least_float32(maps).flatten(2), dim=1) for maps in (query, memory))
    with full_float32(query.device.type):
        return query.transpose(1, 2) @ memory
