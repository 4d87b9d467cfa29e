"""Spatial cropping and resizing of clips."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform

from mmsigma.registry import TRANSFORMS

Box = tuple[int, int, int, int]
"""Crop box (x, y, width, height) in pixels."""


def resize_frames(frames: Sequence[np.ndarray], size: tuple[int, int], antialias: bool) -> np.ndarray:
    """Resize frames of equal size bilinearly, into one buffer.

    With antialiasing, the filter widens with the reduction, so that every pixel counts. This is Pillow's ``BILINEAR``,
    which the releases use wherever they read frames as Pillow images; results are within 1 grey level of it, and 2 in
    less than one of ten thousand pixels for a few ratios such as 280 to 224. Without it, a pixel is the mean of the
    four around its centre, as in OpenCV.

    Args:
        frames: Frames ``(H, W, C)``, uint8.
        size: New height and width in pixels.
        antialias: Whether to use antialiasing. It makes no difference to enlarged frames.

    Returns:
        Frames ``(T, *size, C)``, uint8.
    """
    if antialias:
        # one call for all frames: for channels last in memory, PyTorch is as fast as OpenCV and 5 to 10 times Pillow
        batch = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        resized = F.interpolate(batch, size=size, mode='bilinear', antialias=True)
        return resized.permute(0, 2, 3, 1).contiguous().numpy()
    out = np.empty((len(frames), *size, frames[0].shape[2]), np.uint8)
    for frame, target in zip(frames, out, strict=True):
        cv2.resize(frame, size[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
    return out


def distinct_frames(frames: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    """Return the frames that are different objects, and which of them each frame is.

    The frames of a still clip, and those that a short video repeats, are one object, to be processed once.
    """
    frames = list(frames)  # all of them alive, so that none has the id of another
    distinct = {id(frame): frame for frame in frames}
    places = {one: place for place, one in enumerate(distinct)}
    return [*distinct.values()], [places[id(frame)] for frame in frames]


def crop_and_resize(frames: Sequence[np.ndarray], box: Box, size: int, antialias: bool) -> np.ndarray:
    """Crop all frames and resize the crops to a square.

    Args:
        frames: Frames ``(H, W, C)``, uint8.
        box: Crop box (x, y, width, height).
        size: Side of the square in pixels.
        antialias: See :func:`resize_frames`.

    Returns:
        Crops ``(T, size, size, C)``, uint8.
    """
    x, y, width, height = box
    distinct, order = distinct_frames(frames)
    crops = resize_frames([frame[y : y + height, x : x + width] for frame in distinct], (size, size), antialias)
    return crops if len(crops) == len(order) else crops[order]


@TRANSFORMS.register_module()
class MultiScaleCrop(BaseTransform):
    """Crop as in the pre-training of VideoMAE and SIGMA, equally for all frames of a clip; no flip, no colour change.

    Sides are ``scales`` of the short side; width and height may differ by ``max_distort`` steps of scale. A side that
    differs from ``size`` by less than 3 pixels becomes ``size``. The crop is at one of 13 positions: corners, centre,
    middles of the edges, and quarter points. Crops are resized with antialiasing, as by Pillow in the releases.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``img_shape``. Added keys: ``crop_box`` (x, y, width, height).

    Args:
        size: Side of the output in pixels.
        scales: Sides of the crop relative to the short side of the video.
        max_distort: Largest difference between the scale indices of width and height.
    """

    def __init__(self, size: int = 224, scales: Sequence[float] = (1, 0.875, 0.75, 0.66), max_distort: int = 1) -> None:
        self.size, self.scales, self.max_distort = size, tuple(scales), max_distort

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = results['imgs']
        height, width = frames[0].shape[:2]
        sides = self.sides(width, height)
        crop_width, crop_height = sides[np.random.randint(len(sides))]
        places = self.places(width, height, crop_width, crop_height)
        x, y = places[np.random.randint(len(places))]
        results['crop_box'] = (x, y, crop_width, crop_height)
        results['imgs'] = crop_and_resize(frames, results['crop_box'], self.size, antialias=True)
        results['img_shape'] = (self.size, self.size)
        return results

    def sides(self, width: int, height: int) -> list[tuple[int, int]]:
        """Return all crop sizes (width, height) for a frame; each is equally likely."""
        sides = [int(min(width, height) * scale) for scale in self.scales]
        sides = [self.size if abs(side - self.size) < 3 else side for side in sides]
        numbers = range(len(sides))
        return [(sides[i], sides[j]) for i in numbers for j in numbers if abs(i - j) <= self.max_distort]

    @staticmethod
    def places(width: int, height: int, crop_width: int, crop_height: int) -> list[tuple[int, int]]:
        """Return the 13 offsets (x, y) of a crop; each is equally likely."""
        dx, dy = (width - crop_width) // 4, (height - crop_height) // 4
        quarters = [
            *((0, 0), (4, 0), (0, 4), (4, 4), (2, 2)),
            *((0, 2), (4, 2), (2, 4), (2, 0)),
            *((1, 1), (3, 1), (1, 3), (3, 3)),
        ]
        return [(i * dx, j * dy) for i, j in quarters]

    def __repr__(self) -> str:
        return f'MultiScaleCrop(size={self.size}, scales={self.scales}, max_distort={self.max_distort})'


@TRANSFORMS.register_module()
class ResizeClip(BaseTransform):
    """Resize whole frames to a square, ignoring their aspect ratio.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``img_shape``.

    Args:
        size: Side of the output in pixels.
        antialias: Whether to resize as Pillow does instead of OpenCV (MAST); see :func:`resize_frames`.
    """

    def __init__(self, size: int = 224, antialias: bool = False) -> None:
        self.size, self.antialias = size, antialias

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['imgs'][0].shape[:2]
        results['imgs'] = crop_and_resize(results['imgs'], (0, 0, width, height), self.size, self.antialias)
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f'ResizeClip(size={self.size}, antialias={self.antialias})'


def resize_short_side(frames: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """Resize frames ``(H, W, C)`` bilinearly so that the short side has ``size`` pixels."""
    height, width = frames[0].shape[:2]
    short = min(height, width)
    if short == size:
        return list(frames)
    shape = (int(width * size / short), int(height * size / short))
    return [cv2.resize(frame, shape, interpolation=cv2.INTER_LINEAR) for frame in frames]


@TRANSFORMS.register_module()
class CropViews(BaseTransform):
    """Cut square crops of the short side's length, equally spaced along the long side, for testing.

    Crop s of S starts at int(s * (long - size) / (S - 1)); a single crop is centred. With several crops or several
    clips, ``imgs`` gets a leading axis of views in the order (clip, crop).

    Required keys: ``imgs``, ``num_clips``. Modified keys: ``imgs``, ``img_shape``.

    Args:
        size: Side of the crops in pixels, to which the short side is resized.
        num_crops: Number of crops S.
    """

    def __init__(self, size: int = 224, num_crops: int = 1) -> None:
        self.size, self.num_crops = size, num_crops

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = np.stack(resize_short_side(results['imgs'], self.size))
        crops = [
            frames[:, y : y + self.size, x : x + self.size] for x, y in self.corners(frames.shape[2], frames.shape[1])
        ]
        num_clips = results.get('num_clips', 1)
        if num_clips * self.num_crops == 1:
            results['imgs'] = crops[0]
        else:
            clips = (crop.reshape(num_clips, -1, *crop.shape[1:]) for crop in crops)
            results['imgs'] = np.stack(list(clips), axis=1).reshape(-1, len(frames) // num_clips, *crops[0].shape[1:])
        results['img_shape'] = (self.size, self.size)
        return results

    def corners(self, width: int, height: int) -> list[tuple[int, int]]:
        """Return the offsets (x, y) of the crops of a resized frame."""
        if self.num_crops == 1:
            return [(round((width - self.size) / 2), round((height - self.size) / 2))]
        step = (max(width, height) - self.size) / (self.num_crops - 1)
        offsets = [int(number * step) for number in range(self.num_crops)]
        return [(offset, 0) if width >= height else (0, offset) for offset in offsets]

    def __repr__(self) -> str:
        return f'CropViews(size={self.size}, num_crops={self.num_crops})'
