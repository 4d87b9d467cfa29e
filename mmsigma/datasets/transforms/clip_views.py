"""Clips in which correspondence is learnt: few frames of a video, each there twice (DUL; Mask-VOS, CVPR 2023)."""

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleCorrespondingFrames(BaseTransform):
    """A frame, the next one, and a distant one, before or after (Mask-VOS, section 3.2).

    Required keys: ``filename``, ``total_frames``. Added keys: ``frame_inds``, ``num_clips``, ``clip_len``.

    Args:
        step: Frames from one to the next: of videos with 30 frames a second every fifth for one.
        min_gap: Steps between the first frame and the distant one; in shorter videos it is as distant as can be.
    """

    def __init__(self, step: int = 1, min_gap: int = 5) -> None:
        if step < 1 or min_gap < 1:
            raise ValueError(f'step and min_gap must be positive, got {step} and {min_gap}')
        self.step, self.min_gap = step, min_gap

    def transform(self, results: dict) -> dict:
        """Draw the frames.

        Raises:
            UnreadableVideoError: If the video has a single step.
        """
        count = (results['total_frames'] + self.step - 1) // self.step
        if count < 2:
            raise UnreadableVideoError(results['filename'], f'{count} frames at a step of {self.step}, 2 are needed')
        first = int(np.random.randint(count - 1))
        gaps = np.abs(np.arange(count) - first)
        distant = int(np.random.choice(np.flatnonzero(gaps >= min(self.min_gap, gaps.max()))))
        results['frame_inds'] = np.array([first, first + 1, distant]) * self.step
        results['num_clips'], results['clip_len'] = 1, 3
        return results

    def __repr__(self) -> str:
        return f'SampleCorrespondingFrames(step={self.step}, min_gap={self.min_gap})'


@TRANSFORMS.register_module()
class ShuffleFrames(BaseTransform):
    """Put the frames of a clip into a random order and keep the first few (the release of Mask-VOS: 3 of 5).

    Modified keys: ``frame_inds``.
    """

    def __init__(self, keep: int = 3) -> None:
        self.keep = keep

    def transform(self, results: dict) -> dict:
        results['frame_inds'] = np.random.permutation(results['frame_inds'])[: self.keep]
        return results


@TRANSFORMS.register_module()
class ScaleCropFlip(BaseTransform):
    """Resize the short side to a random length, cut out a square, flip it or not: the same for all frames and masks.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``pseudo_mask`` (T, H, W) if it is there, ``img_shape``.

    Args:
        size: Side of the square.
        short_side: Range of the short side.
        flip: Probability of a flip.
    """

    def __init__(self, size: int = 256, short_side: tuple[int, int] = (256, 320), flip: float = 0.5) -> None:
        if not size <= short_side[0] <= short_side[1]:
            raise ValueError(f'short_side {short_side} must be a range from size {size} on')
        self.size, self.short_side, self.flip = size, tuple(short_side), flip

    def transform(self, results: dict) -> dict:
        height, width = results['imgs'][0].shape[:2]
        short = int(np.random.randint(self.short_side[0], self.short_side[1] + 1))
        shape = (
            max(round(height * short / min(height, width)), short),
            max(round(width * short / min(height, width)), short),
        )
        top, left = (int(np.random.randint(side - self.size + 1)) for side in shape)
        flips = np.random.rand() < self.flip

        def cut(picture: np.ndarray, interpolation: int) -> np.ndarray:
            resized = cv2.resize(picture, shape[::-1], interpolation=interpolation)
            part = resized[top : top + self.size, left : left + self.size]
            return np.ascontiguousarray(part[:, ::-1] if flips else part)

        results['imgs'] = [cut(frame, cv2.INTER_LINEAR) for frame in results['imgs']]
        if results.get('pseudo_mask') is not None:
            masks = [cut(mask, cv2.INTER_NEAREST) for mask in results['pseudo_mask']]
            results['pseudo_mask'] = np.stack(masks)
        results['img_shape'] = (self.size, self.size)
        return results


@TRANSFORMS.register_module()
class SecondView(BaseTransform):
    """Each frame once more: flipped or not, cropped, enlarged to its size; one draw for all frames of a clip.

    Required keys: ``imgs``, squares. Added keys: ``views``, ``view_centre`` (dy, dx), ``view_zoom``, ``view_flip``.

    Args:
        zoom: Range of the side of the crop, relative to the frame's.
        flip: Probability of a flip.
    """

    def __init__(self, zoom: tuple[float, float] = (0.5, 1.0), flip: float = 0.5) -> None:
        if not 0 < zoom[0] <= zoom[1] <= 1:
            raise ValueError(f'zoom must be a range between 0 and 1, got {zoom}')
        self.zoom, self.flip = tuple(zoom), flip

    def transform(self, results: dict) -> dict:
        size = results['imgs'][0].shape[0]
        side = int(np.random.uniform(*self.zoom) * size)
        top, left = np.random.randint(size - side + 1, size=2).tolist()
        flips = bool(np.random.rand() < self.flip)
        views = []
        for frame in results['imgs']:
            part = (frame[:, ::-1] if flips else frame)[top : top + side, left : left + side]
            views.append(cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=cv2.INTER_LINEAR))
        results['views'] = views
        results['view_centre'] = (top + side / 2 - size / 2, left + side / 2 - size / 2)
        results['view_zoom'], results['view_flip'] = side / size, flips
        return results


@TRANSFORMS.register_module()
class PackClipViews(BaseTransform):
    """Pack a clip: ``inputs`` with ``images`` and ``views``, uint8 (T, 3, H, W), and ``data_samples``.

    The sample has ``pseudo_mask``, uint8 (T, H, W) or empty, and the geometry of the second view.
    """

    def transform(self, results: dict) -> dict:
        images, views = (
            torch.from_numpy(np.stack(results[key])).movedim(-1, 1).contiguous() for key in ('imgs', 'views')
        )
        masks = results.get('pseudo_mask')
        sample = BaseDataElement(
            pseudo_mask=torch.empty(0, dtype=torch.uint8) if masks is None else torch.from_numpy(masks)
        )
        keys = ('filename', 'frame_inds', 'view_centre', 'view_zoom', 'view_flip', 'failures')
        sample.set_metainfo({key: results[key] for key in keys if key in results})
        return {'inputs': {'images': images, 'views': views}, 'data_samples': sample}
