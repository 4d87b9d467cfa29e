"""Images as still clips, to evaluate video models on image datasets."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.io.pictures import read_picture
from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ReadImageClip(BaseTransform):
    """Read an image and repeat it along time, as V-JEPA does to evaluate video models on images.

    Required keys: ``filename``. Added keys: ``imgs``, ``total_frames``, ``frame_inds``, ``num_clips``, ``img_shape``,
    ``original_shape``.

    Args:
        num_frames: Length of the clip in frames, at least the tubelet size.
        upscale: Length in pixels to which a shorter short side is resized, bicubically (CIFAR: 32 to 224); None to keep
            the size.
    """

    def __init__(self, num_frames: int = 16, upscale: int | None = None) -> None:
        self.num_frames, self.upscale = num_frames, upscale

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the frames to ``results``.

        Raises:
            UnreadableVideoError: If the file is missing or not an image.
        """
        try:
            image = read_picture(results['filename'])
        except FileNotFoundError as error:
            raise UnreadableVideoError(results['filename'], 'there is no such file') from error
        except ValueError as error:
            reason = str(error).removeprefix(f'{results["filename"]} ')
            raise UnreadableVideoError(results['filename'], reason) from error
        results['original_shape'] = image.shape[:2]
        short = min(image.shape[:2])
        if self.upscale and short < self.upscale:
            shape = tuple(round(side * self.upscale / short) for side in image.shape[1::-1])
            image = cv2.resize(image, shape, interpolation=cv2.INTER_CUBIC)
        results['imgs'] = [image] * self.num_frames
        results['img_shape'] = image.shape[:2]
        results['total_frames'] = results['num_clips'] = 1
        results['frame_inds'] = np.zeros(self.num_frames, np.int64)
        return results

    def __repr__(self) -> str:
        return f'ReadImageClip(num_frames={self.num_frames}, upscale={self.upscale})'
