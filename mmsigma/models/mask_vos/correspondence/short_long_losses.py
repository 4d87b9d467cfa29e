"""Correspondence losses of Mask-VOS (CVPR 2023): dense ones of the paper, and the anchors that its release trains."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops.view_geometry import warp_to_view


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
