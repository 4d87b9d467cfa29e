"""Crops, flips and second views of the clips that correspondence is learnt from (DUL; Mask-VOS, CVPR 2023)."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.augment import RandomResizedCropClip
from mmsigma.datasets.transforms.formatting import PinnedElement
from mmsigma.datasets.transforms.spatial import crop_and_resize, resize_frames
from mmsigma.ops.resizing import resize_labels
from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ScaleCropFlip(BaseTransform):
    """Resize the short side to a random length, crop a random square, and flip at random; equal for all frames.

    Frames are resized with antialiasing, as by Pillow in DUL and Mask-VOS. Pseudo masks undergo the same changes.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``img_shape``, and, if present, ``pseudo_mask`` ``(T, H, W)``
    or, if soft, ``(T, H, W, V)``.

    Args:
        size: Side of the square in pixels.
        short_side: Range of the short side in pixels, both ends included.
        flip: Probability of a horizontal flip.
    """

    def __init__(self, size: int = 256, short_side: tuple[int, int] = (256, 320), flip: float = 0.5) -> None:
        if not size <= short_side[0] <= short_side[1]:
            raise ValueError(f'short_side {short_side} must be an increasing range that starts at size {size} or above')
        self.size, self.short_side, self.flip = size, tuple(short_side), flip

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['imgs'][0].shape[:2]
        short = int(np.random.randint(self.short_side[0], self.short_side[1] + 1))
        shape = (short * height // min(height, width), short * width // min(height, width))
        top, left = (int(np.random.randint(side - self.size + 1)) for side in shape)
        flips = np.random.rand() < self.flip

        def cut(pictures: np.ndarray) -> np.ndarray:
            part = pictures[:, top : top + self.size, left : left + self.size]
            return np.ascontiguousarray(part[:, :, ::-1] if flips else part)

        results['imgs'] = [*cut(resize_frames(results['imgs'], shape, antialias=True))]
        if results.get('pseudo_mask') is not None:
            results['pseudo_mask'] = cut(_resize_masks(results['pseudo_mask'], shape))
        results['img_shape'] = (self.size, self.size)
        return results


@TRANSFORMS.register_module()
class CropEachFrame(RandomResizedCropClip):
    """Crop each frame of a clip independently and resize the crop to a square (CRW).

    Crops are resized with antialiasing, as by Pillow in CRW. Pseudo masks undergo the same changes.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``img_shape``, and, if present, ``pseudo_mask`` ``(T, H, W)``
    or, if soft, ``(T, H, W, V)``.

    Args:
        size: Side of the output in pixels.
        scale: Range of the crop's area relative to the frame.
        ratio: Range of the crop's aspect ratio, width / height.
    """

    def __init__(
        self, size: int = 256, scale: tuple[float, float] = (0.8, 0.95), ratio: tuple[float, float] = (0.7, 1.3)
    ) -> None:
        super().__init__(size, scale, ratio)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['imgs'][0].shape[:2]
        boxes = [self.draw_box(width, height) for _ in results['imgs']]
        pairs = zip(results['imgs'], boxes, strict=True)
        results['imgs'] = [crop_and_resize([frame], box, self.size, antialias=True)[0] for frame, box in pairs]
        if results.get('pseudo_mask') is not None:
            pairs = zip(results['pseudo_mask'], boxes, strict=True)
            parts = (mask[y : y + h, x : x + w] for mask, (x, y, w, h) in pairs)
            results['pseudo_mask'] = np.concatenate(
                [_resize_masks(part[None], (self.size, self.size)) for part in parts]
            )
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return super().__repr__().replace('RandomResizedCropClip', 'CropEachFrame')


def _resize_masks(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize labels ``(T, H, W)`` to their nearest pixels, or soft masks ``(T, H, W, V)`` like frames."""
    return resize_labels(masks, size) if masks.ndim == 3 else resize_frames([*masks], size, antialias=True)


@TRANSFORMS.register_module()
class SecondView(BaseTransform):
    """Add a second view of each frame: flipped at random, cropped, and enlarged to the frame's size.

    All frames of a clip share one draw.

    Required keys: ``imgs``, square frames. Added keys: ``views``, ``view_centre`` (dy, dx), ``view_zoom``,
    ``view_flip``.

    Args:
        zoom: Range of the crop's side relative to the frame's.
        flip: Probability of a horizontal flip.
    """

    def __init__(self, zoom: tuple[float, float] = (0.5, 1.0), flip: float = 0.5) -> None:
        if not 0 < zoom[0] <= zoom[1] <= 1:
            raise ValueError(f'zoom must be an increasing range between 0 and 1, got {zoom}')
        self.zoom, self.flip = (zoom[0], zoom[1]), flip

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        size = results['imgs'][0].shape[0]
        side = int(np.random.uniform(*self.zoom) * size)
        top, left = np.random.randint(size - side + 1, size=2).tolist()
        flips = bool(np.random.rand() < self.flip)
        frames = [frame[:, ::-1] if flips else frame for frame in results['imgs']]
        results['views'] = [*crop_and_resize(frames, (left, top, side, side), size, antialias=True)]
        results['view_centre'] = (top + side / 2 - size / 2, left + side / 2 - size / 2)
        results['view_zoom'], results['view_flip'] = side / size, flips
        return results


@TRANSFORMS.register_module()
class PackClipViews(BaseTransform):
    """Pack a clip: ``inputs`` with ``images`` and, if present, ``views``, uint8 ``(T, 3, H, W)``, and ``data_samples``.

    The sample has ``pseudo_mask``, uint8 ``(T, H, W)``, soft ``(T, V, H, W)`` or empty, and the geometry of the second
    view as metadata.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        inputs = {
            name: torch.from_numpy(np.stack(results[key])).movedim(-1, 1).contiguous()
            for name, key in (('images', 'imgs'), ('views', 'views'))
            if key in results
        }
        masks = results.get('pseudo_mask')
        if masks is not None and masks.ndim == 4:
            masks = np.ascontiguousarray(np.moveaxis(masks, -1, 1))
        sample = PinnedElement(
            pseudo_mask=torch.empty(0, dtype=torch.uint8) if masks is None else torch.from_numpy(masks)
        )
        keys = ('filename', 'frame_inds', 'avg_fps', 'view_centre', 'view_zoom', 'view_flip', 'failures')
        sample.set_metainfo({key: results[key] for key in keys if key in results})
        return {'inputs': inputs, 'data_samples': sample}
