"""Clips that carry, optionally, a second view of each frame: flipped, cropped and enlarged."""

from typing import NamedTuple

from torch import Tensor


class ClipViews(NamedTuple):
    """A batch of clips with an optional second view of each frame, which is flipped, cropped and enlarged.

    Attributes:
        images: Normalised images, ``(B, T, 3, H, W)``.
        views: Normalised second views, ``(B, T, 3, H, W)``; None if the pipeline makes none.
        back: Affine maps from coordinates of the views to those of the images, ``(B, 2, 3)``; None without views.
    """

    images: Tensor
    views: Tensor | None = None
    back: Tensor | None = None


def second_views(clip: ClipViews) -> tuple[Tensor, Tensor]:
    """Return the second views and the affine maps from their coordinates to those of the images.

    Raises:
        ValueError: If the clips have no second views, or no map back.
    """
    if clip.views is None or clip.back is None:
        raise ValueError('the correspondence scheme needs each frame twice: put SecondView into the pipeline')
    return clip.views, clip.back
