"""Resizing of label maps, whose values must not be mixed."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

Sample = Literal['centre', 'corner']
SAMPLES: tuple[Sample, ...] = ('centre', 'corner')
Labels = TypeVar('Labels', Tensor, np.ndarray)


def _sampled_places(old: int, new: int, sample: Sample = 'centre') -> np.ndarray:
    """Return the old pixel that each new pixel takes its value from along one side, ``(new,)``, int64, increasing."""
    if sample not in SAMPLES or min(old, new) < 1:
        raise ValueError(f'sample must be one of {SAMPLES} and lengths positive, got {sample!r}, {old} and {new}')
    if sample == 'corner':
        return np.arange(new) * old // new
    step = old / new
    # a centre may lie on the border of two pixels; as in Pillow, the rounding of a running sum decides
    return np.add.accumulate(np.r_[step / 2, np.full(new - 1, step)]).astype(np.int64)


def resize_labels(labels: Labels, size: Sequence[int], sample: Sample = 'centre') -> Labels:
    """Resize label maps: each new pixel takes the value of one old pixel.

    With ``'centre'``, it is the one below the centre of the new pixel: old position (i + 1/2) * old / new. Objects stay
    where they are in an image that is resized bilinearly with half-pixel centres, as by Pillow, OpenCV or
    ``F.interpolate(align_corners=False)``. Results equal those of Pillow's ``NEAREST``; ``F.interpolate`` with
    ``'nearest-exact'`` may differ where a centre lies on the border of two pixels.

    With ``'corner'``, it is the one below the top left corner: old position i * old / new. Objects move by up to half
    a new pixel. This is the rule of ``F.interpolate(mode='nearest')`` and OpenCV's ``INTER_NEAREST``, and only for
    protocols that require it.

    Args:
        labels: Label maps, or one-hot ones, ``(..., H, W)``.
        size: New height and width in pixels.
        sample: ``'centre'`` or ``'corner'``.

    Returns:
        Maps ``(..., H', W')`` of the same type.

    Raises:
        ValueError: If ``sample`` is unknown, or a length is not positive.
    """
    rows, columns = (_sampled_places(old, new, sample) for old, new in zip(labels.shape[-2:], size, strict=True))
    if isinstance(labels, Tensor):
        places = (torch.from_numpy(side).to(labels.device) for side in (rows, columns))
        return labels.index_select(-2, next(places)).index_select(-1, next(places))
    return labels[..., rows[:, None], columns]
