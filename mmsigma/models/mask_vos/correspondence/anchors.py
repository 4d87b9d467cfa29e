"""Correspondence scheme with anchors, of DUL (NeurIPS 2021) and of the release of Mask-VOS (CVPR 2023)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.clip_views import ClipViews, second_views
from mmsigma.models.interfaces import VisualEncoder
from mmsigma.ops.precision import at_least_float32, full_float32
from mmsigma.ops.view_geometry import warp_to_view
from mmsigma.registry import MODELS


@MODELS.register_module()
class AnchorCorrespondence(nn.Module):
    """Scheme of DUL and of the Mask-VOS release, in which cells of the first frames of all clips are the classes.

    Args:
        cross_weight: Weight of the cross-view term, which discriminates cells of the first frame (release: 0.1).
        temporal_weight: Weight of the temporal term, which classifies later frames (release: 1).
        grid: Number of anchors per side of the first frame of a clip (release: 8), on a grid with one random offset.
        reference_grid: Number of cells per side for the cross-view term (release: 4).
        temperature: Divisor of the similarities.
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

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: VisualEncoder) -> dict[str, Tensor]:
        """Compute the losses of clips.

        Args:
            keys: Keys of the images, ``(B, T, D, h, w)``.
            clip: Clips with second views.
            encoder: Visual encoder, for the views; only their first frame gets a gradient.

        Raises:
            ValueError: If the clips have no second views, or the keys are smaller than the grid.
        """
        assert keys is not None
        size, (images, back) = keys.shape[-2:], second_views(clip)
        anchors, references = (random_grid(len(keys), size, side) for side in (self.grid, self.reference_grid))
        with torch.no_grad():
            later = encoder(images[:, 1:].flatten(0, 1)).unflatten(0, (len(keys), -1))
        views = torch.cat([encoder(images[:, 0])[:, None], later], dim=1)
        found = anchor_losses(keys, views, back, anchors.to(keys.device), references.to(keys.device), self.temperature)
        return {'loss_temporal': self.temporal_weight * found.temporal, 'loss_cross': self.cross_weight * found.cross}


def random_grid(batch: int, size: Sequence[int], side: int) -> Tensor:
    """Draw grids of cells spread over maps, each with one random offset.

    Args:
        batch: Number B of grids.
        size: Rows and columns (h, w) of the maps.
        side: Number of cells per side of a grid.

    Returns:
        Indices y * w + x of the cells, ``(B, side ** 2)``.

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
        temporal: Temporal term, which classifies cells of later frames like the views of these, a scalar.
        cross: Cross-view term, which discriminates cells of the first frame, a scalar.
        pseudo: Nearest anchor of each cell of the views, ``(B, T, h, w)``, numbered over the batch.
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
    """Compute the losses of the Mask-VOS release, which are those of DUL (NeurIPS 2021).

    Anchors are cells of the first frame of every clip. The anchor of the own clip that a cell of the second view is
    most similar to is the label of the corresponding cell of the first view, among the anchors of all clips. Of the
    second view, only the first frame gets a gradient, from the cross-view term.

    Args:
        first: Features of the first view, ``(B, T, D, h, w)``, of unit length.
        second: Features of the second view, a flipped crop of the first, ``(B, T, D, h, w)``, of unit length.
        back: Affine maps from coordinates of the second view to those of the first, ``(B, 2, 3)``.
        anchors: Indices y * w + x of the anchors in the first frame, ``(B, A)``.
        references: Indices of the cells of the first frame of the second view for the cross-view term, ``(B, R)``.
        temperature: Divisor of the similarities.

    Returns:
        Both terms without weights (the release adds 0.1 times the second), and the pseudo labels.
    """
    first, second, back = (at_least_float32(tensor) for tensor in (first, second, back))
    with full_float32(first.device.type):
        return _anchor_losses(first, second, back, anchors, references, temperature)


def _anchor_losses(
    first: Tensor, second: Tensor, back: Tensor, anchors: Tensor, references: Tensor, temperature: float
) -> AnchorLosses:
    batch, time, _, height, width = first.shape
    count = anchors.shape[1]
    bank = _cells(first[:, 0], anchors).flatten(0, 1)  # (B * A, D)
    # similarities to the anchors of all clips: (B, T, B * A, h, w)
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
    """Gather cells ``(B, A, D)`` of maps ``(B, D, h, w)`` by their indices ``(B, A)``."""
    return maps.flatten(2).gather(2, index[:, None].expand(-1, maps.shape[1], -1)).transpose(1, 2)
