"""Ways to learn correspondence without labels, behind one interface, for Mask-VOS (CVPR 2023, tables 4a and 4f).

A scheme has ``loss(keys, clip, encoder)``; ``uses_keys`` says whether it needs the keys of the images, which are None
otherwise. Here are the paper's and the release's; those of MAST and CRW are in :mod:`.photometric_scheme` and
:mod:`.random_walk_scheme`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmsigma.models.mask_vos.correspondence.short_long_losses import anchor_losses, long_term_loss, short_term_loss
from mmsigma.ops.view_geometry import warp_to_view
from mmsigma.registry import MODELS


class ClipViews(NamedTuple):
    """Clips of which each frame may be there twice: as it is, and flipped, cropped and enlarged.

    Attributes:
        images: Normalised (B, T, 3, H, W).
        views: The other view (B, T, 3, H, W); None if the pipeline makes none.
        back: From coordinates of the views to those of the images (B, 2, 3); None without views.
    """

    images: Tensor
    views: Tensor | None = None
    back: Tensor | None = None


Encode = Callable[[Tensor], Tensor]  # from images (N, 3, H, W) to keys (N, D, h, w) of unit length


def second_views(clip: ClipViews) -> tuple[Tensor, Tensor]:
    """Views, and the way back from them.

    Raises:
        ValueError: If there are none.
    """
    if clip.views is None or clip.back is None:
        raise ValueError('the scheme of correspondence needs each frame twice: put SecondView into the pipeline')
    return clip.views, clip.back


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
