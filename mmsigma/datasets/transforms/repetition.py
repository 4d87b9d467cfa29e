"""Transforms for repetition counting: choice of frames with their cycle labels, letterboxing and packing."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.formatting import VideoSample
from mmsigma.ops.repetition import UNDEFINED, cycle_labels
from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleRepetitions(BaseTransform):
    """Sample the annotated part of a video, or a random part of it for training, with the labels of its frames.

    A random part starts at any frame before the last ``min_cycles`` cycles. It ends on a boundary at least that many
    whole cycles later, or after ``max_frames``. Labels whose matching frame is outside the part are undefined.

    Required keys: ``total_frames``, ``cycle_bounds`` ``(n + 1,)`` and ``annotated`` (first, last), numbered from 0.
    Added keys: ``frame_inds``, ``previous_labels`` and ``next_labels`` ``(T,)``, ``count``, ``clip_len``,
    ``num_clips``.

    Args:
        random: Whether to take a random part.
        min_cycles: Minimum number of whole cycles in a random part.
        max_frames: Maximum number of frames in a random part.

    Raises:
        ValueError: If ``min_cycles`` or ``max_frames`` is not positive.
    """

    def __init__(self, random: bool = True, min_cycles: int = 2, max_frames: int = 300) -> None:
        if min_cycles < 1 or max_frames < 1:
            raise ValueError(f'min_cycles and max_frames must be positive, got {min_cycles} and {max_frames}')
        self.random, self.min_cycles, self.max_frames = random, min_cycles, max_frames

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        bounds = np.asarray(results['cycle_bounds'], np.int64)
        first, last = self._draw(bounds) if self.random else results['annotated']
        frames = np.arange(first, last + 1)
        following, previous = cycle_labels(bounds)
        outside = (frames < bounds[0]) | (frames > bounds[-1])
        positions = (frames - bounds[0]).clip(0, len(following) - 1)
        following, previous = following[positions], previous[positions]
        results['next_labels'] = np.where(outside | (frames + following > last), UNDEFINED, following)
        results['previous_labels'] = np.where(outside | (frames - previous < first), UNDEFINED, previous)
        results['count'] = len(bounds) - 1
        # some files have one frame less than was annotated
        results['frame_inds'] = np.minimum(frames, results['total_frames'] - 1)
        results['clip_len'], results['num_clips'] = len(frames), 1
        return results

    def _draw(self, bounds: np.ndarray) -> tuple[int, int]:
        """Draw the first and the last frame of a random part."""
        min_cycles = min(self.min_cycles, len(bounds) - 1)
        first = np.random.randint(bounds[0], bounds[-1 - min_cycles] + 1)
        earliest = np.searchsorted(bounds, first) + min_cycles
        ends = bounds[earliest:]
        ends = ends[ends - first < self.max_frames]
        last = np.random.choice(ends) if len(ends) else first + self.max_frames - 1
        return int(first), int(last)

    def __repr__(self) -> str:
        return f'SampleRepetitions(random={self.random}, min_cycles={self.min_cycles}, max_frames={self.max_frames})'


@TRANSFORMS.register_module()
class Letterbox(BaseTransform):
    """Resize frames so that the longer side fits a square, and pad the rest with black, half on either side.

    Required keys: ``imgs``. Modified keys: ``imgs``, uint8 ``(T, size, size, C)``, and ``img_shape``.

    Args:
        size: Side of the square in pixels.
    """

    def __init__(self, size: int = 224) -> None:
        self.size = size

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames: Sequence[np.ndarray] = results['imgs']
        height, width = frames[0].shape[:2]
        scale = self.size / max(height, width)
        new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
        top, left = (self.size - new_height) // 2, (self.size - new_width) // 2
        out = np.zeros((len(frames), self.size, self.size, frames[0].shape[2]), np.uint8)
        for frame, target in zip(frames, out, strict=True):
            target[top : top + new_height, left : left + new_width] = cv2.resize(frame, (new_width, new_height))
        results['imgs'], results['img_shape'] = out, (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f'Letterbox(size={self.size})'


@TRANSFORMS.register_module()
class PackRepetitionInputs(BaseTransform):
    """Pack a video of repetitions: ``inputs``, uint8 ``(C, T, H, W)``, and ``data_samples``.

    The sample has ``previous_labels`` and ``next_labels`` ``(T,)``, ``gt_count``, and the metadata ``meta_keys``.

    Args:
        meta_keys: Keys of the results that become metadata if present.
    """

    def __init__(self, meta_keys: Sequence[str] = ('filename', 'original_shape', 'failures')) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        sample = VideoSample()
        for name in ('previous_labels', 'next_labels'):
            sample.set_field(torch.from_numpy(results[name]), name)
        sample.set_field(int(results['count']), 'gt_count')
        sample.set_metainfo({key: results[key] for key in self.meta_keys if key in results})
        video = torch.from_numpy(np.stack(results['imgs']))
        return {'inputs': video.permute(3, 0, 1, 2).contiguous(), 'data_samples': sample}
