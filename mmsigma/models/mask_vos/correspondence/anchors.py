"""Correspondence with anchors: the scheme of DUL (NeurIPS 2021) and of the Mask-VOS release."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews, second_views
from mmsigma.models.interfaces import VisualEncoder
from mmsigma.ops.view_geometry import warp_to_view
from mmsigma.registry import MODELS

Encode = Callable[[Tensor], Tensor]  # from images (N, 3, H, W) to keys (N, D, h, w) of unit length


@MODELS.register_module()
class AnchorCorrespondence(nn.Module):
    """That of DUL and of the Mask-VOS release: cells of the first frames of all clips are the classes.

    Args:
        cross_weight: Of telling views of the first frame apart (0.1).
        temporal_weight: Of classifying later frames (1).
        grid: Anchors per side of a clip's first frame (8), on a grid with one random offset.
        reference_grid: Cells per side that are told apart (4).
        temperature: Divides similarities.
    """

    uses_keys = True
    encoder_interface = VisualEncoder

    def __init__(
        self,
        cross_weight: float = 0.1,
        temporal_weight: float = 1.0,
        grid: int = 8,
        reference_grid: int = 4,
        temperature: float = 0.05,
    ) -> None:
        super().__init__()
        self.cross_weight, self.temporal_weight = cross_weight, temporal_weight
        self.grid, self.reference_grid, self.temperature = grid, reference_grid, temperature

    def loss(self, keys: Tensor, clip: ClipViews, encode: Encode) -> dict[str, Tensor]:
        """Losses of clips; the views have no gradient but in their first frame."""
        size, (images, back) = keys.shape[-2:], second_views(clip)
        anchors, references = (random_grid(len(keys), size, side) for side in (self.grid, self.reference_grid))
        with torch.no_grad():
            later = encode(images[:, 1:].flatten(0, 1)).unflatten(0, (len(keys), -1))
        views = torch.cat([encode(images[:, 0])[:, None], later], dim=1)
        found = anchor_losses(keys, views, back, anchors.to(keys.device), references.to(keys.device), self.temperature)
        return {'loss_temporal': self.temporal_weight * found.temporal, 'loss_cross': self.cross_weight * found.cross}


def random_grid(batch: int, size: tuple[int, int], side: int) -> Tensor:
    """Cells (B, side ** 2), y * w + x, of grids spread over maps, each shifted as a whole by chance.

    Raises:
        ValueError: If the maps are smaller than the grid.
    """
    if min(size) < side:
        raise ValueError(f'a grid of {side} x {side} does not fit into maps of {size[0]} x {size[1]}')
    steps = [length // side for length in size]
    rows, columns = (torch.randint(step, (batch, 1)) + step * torch.arange(side) for step in steps)
    return (rows[:, :, None] * size[1] + columns[:, None]).flatten(1)


class AnchorLosses(NamedTuple):
    """Result of :func:`anchor_losses`.

    Attributes:
        temporal: Cells of later frames are classified among the anchors as their views are.
        cross: Views of the first frame are told apart.
        pseudo: Anchor of each cell of the views (B, T, h, w), counted over the batch.
    """

    temporal: Tensor
    cross: Tensor
    pseudo: Tensor


def anchor_losses(
    first: Tensor,
    second: Tensor,
    back: Tensor,
    anchors: Tensor,
    references: Tensor,
    temperature: float = 0.05,
) -> AnchorLosses:
    """Losses of the Mask-VOS release, which are those of DUL (NeurIPS 2021).

    Anchors are cells of the first frame of every clip. Whichever of its own clip's a cell of the second view is most
    similar to, the first view has to be as well, among those of all clips. Of the second view only the first frame
    has a gradient, in the cross-view term.

    Args:
        first: Unit features of the first view (B, T, D, h, w).
        second: Unit features of the second view, a flipped crop of the first (B, T, D, h, w).
        back: From coordinates of the second view to those of the first (B, 2, 3).
        anchors: Cells y * w + x of the first frame (B, A).
        references: Cells of the second view's first frame to tell apart (B, R).
        temperature: Divides similarities.

    Returns:
        Both terms, unweighted (the release adds 0.1 times the second), and the pseudo labels.
    """
    batch, time, _, height, width = first.shape
    count = anchors.shape[1]
    bank = _cells(first[:, 0], anchors).flatten(0, 1)  # (B A, D)
    logits = torch.einsum('btdhw,ad->btahw', first, bank) / temperature
    with torch.no_grad():
        own = bank.view(batch, count, -1)
        nearest = torch.einsum('btdhw,bad->btahw', second, own).argmax(dim=2)
        pseudo = nearest + count * torch.arange(batch, device=first.device).view(-1, 1, 1, 1)
    warped = warp_to_view(logits.flatten(1, 2), back).view(batch, time, -1, height, width)
    temporal = F.cross_entropy(warped[:, 1:].flatten(0, 1), pseudo[:, 1:].flatten(0, 1))
    aligned = _cells(warp_to_view(first[:, 0], back), references).flatten(0, 1)
    views = _cells(second[:, 0], references).flatten(0, 1)
    cross = F.cross_entropy(aligned @ views.T / temperature, torch.arange(len(views), device=views.device))
    return AnchorLosses(temporal, cross, pseudo)


def _cells(maps: Tensor, index: Tensor) -> Tensor:
    """Cells (B, A, D) of maps (B, D, h, w)."""
    return maps.flatten(2).gather(2, index[:, None].expand(-1, maps.shape[1], -1)).transpose(1, 2)
