"""Decoder for videos that are stored as folders of images, for :class:`ReadClip`."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.io.video import list_pictures
from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class FrameFolderInit(BaseTransform):
    """List the images of a folder in the order of :func:`mmsigma.io.video.list_pictures`.

    ``ReadClip(decoder='frames')`` uses it.

    Required keys: ``filename``, the folder. Added keys: ``video_reader``, ``total_frames``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = list_pictures(results['filename'])
        results['video_reader'], results['total_frames'] = frames, len(frames)
        return results


@TRANSFORMS.register_module()
class FrameFolderDecode(BaseTransform):
    """Read the images ``frame_inds``, each of them once.

    Required keys: ``video_reader``, ``frame_inds``. Added keys: ``imgs``, ``img_shape``, ``original_shape``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Read the images.

        Raises:
            ValueError: If a file is not an image, or two images differ in size; :class:`ReadClip` adds the folder.
        """
        indices, paths = np.ravel(results['frame_inds']).tolist(), results['video_reader']
        read = {index: self._read(paths[index]) for index in sorted(set(indices))}
        (first, picture), *others = read.items()
        for index, other in others:  # all frames of a clip are cropped at the same position
            if other.shape != picture.shape:
                sizes = (
                    f'{picture.shape[1]} x {picture.shape[0]}, {paths[index].name} {other.shape[1]} x {other.shape[0]}'
                )
                raise ValueError(f'all images of a video must have the same size: {paths[first].name} is {sizes}')
        results['imgs'] = [read[index] for index in indices]
        results['img_shape'] = results['original_shape'] = results['imgs'][0].shape[:2]
        return results

    @staticmethod
    def _read(path: Path) -> np.ndarray:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise ValueError(f'{path.name} is not an image')
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
