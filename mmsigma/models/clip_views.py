"""Clips whose frames may be there twice: as they are, and seen through another view."""

from typing import NamedTuple

from torch import Tensor


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


def second_views(clip: ClipViews) -> tuple[Tensor, Tensor]:
    """Views, and the way back from them.

    Raises:
        ValueError: If there are none.
    """
    if clip.views is None or clip.back is None:
        raise ValueError('the scheme of correspondence needs each frame twice: put SecondView into the pipeline')
    return clip.views, clip.back
