"""Sampling and cropping of Charades clips with their multi-label targets (SlowFast; SEVERE)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.spatial import crop_and_resize
from mmsigma.registry import TRANSFORMS


def frame_labels(
    actions: Sequence[tuple[int, float, float]], num_frames: int, fps: float, num_classes: int
) -> np.ndarray:
    """Return which actions occur in each frame.

    Args:
        actions: Triples (class, start, end), with times in seconds.
        num_frames: Number of frames of the video.
        fps: Frames per second.
        num_classes: Number of classes C.

    Returns:
        Labels ``(num_frames, C)``, bool.

    Raises:
        ValueError: If a class is not between 0 and ``num_classes`` - 1.
    """
    labels = np.zeros((num_frames, num_classes), bool)
    if not len(actions):
        return labels
    classes, starts, ends = (np.array(column) for column in zip(*actions, strict=True))
    if classes.min() < 0 or classes.max() >= num_classes:
        wrong = classes.min() if classes.min() < 0 else classes.max()
        raise ValueError(f'class {wrong} is not between 0 and num_classes - 1 = {num_classes - 1}')
    seconds = np.arange(num_frames)[:, None] / fps
    frames, numbers = np.nonzero((seconds >= starts) & (seconds <= ends))
    labels[frames, classes[numbers]] = True
    return labels


def clip_starts(num_frames: int, span: int, num_clips: int) -> np.ndarray:
    """Return the first frames ``(num_clips,)`` of clips that cover a video evenly; a single one is in the middle."""
    free = max(num_frames - span, 0)
    if num_clips == 1:
        return np.array([free // 2])
    return np.round(np.arange(num_clips) * free / (num_clips - 1)).astype(np.int64)


@TRANSFORMS.register_module()
class SampleCharadesClip(BaseTransform):
    """Sample a random clip with the actions that occur in it, or clips over the whole video with all of its actions.

    This follows SlowFast and SEVERE: the label of a training clip is the union over all frames from the first to the
    last sampled one; that of a test video is the union over the video. A clip that extends beyond the video repeats its
    last frame. In training, a video shorter than a clip may also start late, in which case it repeats its first frame.

    Required keys: ``total_frames``, ``actions`` of (class, start, end) in seconds, and ``fps`` or ``avg_fps``. Added
    keys: ``frame_inds`` ``(num_clips * clip_len,)``, ``label``, float ``(num_classes,)``, ``clip_len``,
    ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Number of frames per clip.
        frame_interval: Stride in frames.
        num_clips: Number of clips of a test video; None for one random clip for training.
        num_classes: Number of classes.

    Raises:
        ValueError: If a number is not positive.
    """

    def __init__(
        self, clip_len: int = 16, frame_interval: int = 8, num_clips: int | None = None, num_classes: int = 157
    ) -> None:
        if min(clip_len, frame_interval, num_classes) < 1 or (num_clips is not None and num_clips < 1):
            raise ValueError(
                'clip_len, frame_interval, num_clips and num_classes must be positive, got '
                f'{clip_len}, {frame_interval}, {num_clips} and {num_classes}'
            )
        self.clip_len, self.frame_interval = clip_len, frame_interval
        self.num_clips, self.num_classes = num_clips, num_classes

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        total = results['total_frames']
        span = (self.clip_len - 1) * self.frame_interval + 1
        if self.num_clips is None:
            free = total - span
            starts = np.random.randint(min(free, 0), max(free, 0) + 1, size=1)
        else:
            starts = clip_starts(total, span, self.num_clips)
        frames = starts[:, None] + np.arange(self.clip_len) * self.frame_interval
        frames = frames.clip(0, total - 1)
        labels = frame_labels(results['actions'], total, self._fps(results), self.num_classes)
        if self.num_clips is None:
            labels = labels[frames[0, 0] : frames[0, -1] + 1]
        results['label'] = torch.from_numpy(labels.any(axis=0)).float()
        results['frame_inds'] = frames.ravel()
        results['clip_len'], results['frame_interval'] = self.clip_len, self.frame_interval
        results['num_clips'] = len(starts)
        return results

    @staticmethod
    def _fps(results: dict[str, Any]) -> float:
        fps = results.get('fps') or results.get('avg_fps')
        if not fps:
            raise ValueError(f'{results.get("filename", "a video")} has no frame rate: set fps of the dataset')
        return float(fps)

    def __repr__(self) -> str:
        return (
            f'SampleCharadesClip(clip_len={self.clip_len}, frame_interval={self.frame_interval}, '
            f'num_clips={self.num_clips}, num_classes={self.num_classes})'
        )


@TRANSFORMS.register_module()
class ShortSideCrop(BaseTransform):
    """Resize to a random short side and crop a random square, in one step (SlowFast's training on Charades).

    The inverse of the short side is uniform, and with it the visible fraction of the frame's side.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``img_shape``. Added keys: ``crop_box`` (x, y, width, height).

    Args:
        size: Side of the square in pixels.
        short_side: Smallest and largest short side in pixels.

    Raises:
        ValueError: If the square does not fit into the smallest short side.
    """

    def __init__(self, size: int = 224, short_side: tuple[int, int] = (256, 340)) -> None:
        if not size <= short_side[0] <= short_side[1]:
            raise ValueError(f'a square of {size} pixels does not fit into every short side in {tuple(short_side)}')
        self.size, self.short_side = size, tuple(short_side)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['imgs'][0].shape[:2]
        smallest, largest = self.short_side
        short = 1 / np.random.uniform(1 / largest, 1 / smallest)
        side = max(1, round(self.size * min(height, width) / short))
        x, y = np.random.randint(width - side + 1), np.random.randint(height - side + 1)
        results['crop_box'] = (int(x), int(y), side, side)
        results['imgs'] = crop_and_resize(results['imgs'], results['crop_box'], self.size, antialias=False)
        results['img_shape'] = (self.size, self.size)
        return results

    def __repr__(self) -> str:
        return f'ShortSideCrop(size={self.size}, short_side={self.short_side})'
