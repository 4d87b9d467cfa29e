"""Choosing frames."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleStridedClip(BaseTransform):
    """One clip at an exact stride from a random start, as VideoMAE and SIGMA pre-train on.

    The start is uniform over 0 .. total_frames - clip_len * frame_interval, both included. A video too short for that
    starts at 0, and once the next step would reach its last frame, the frame before is repeated.

    Required keys: ``total_frames``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Frames per clip.
        frame_interval: Stride in frames (paper: 4 on Kinetics, 2 on Something-Something).
    """

    def __init__(self, clip_len: int = 16, frame_interval: int = 4) -> None:
        if clip_len < 1 or frame_interval < 1:
            raise ValueError(f'clip_len and frame_interval must be positive, got {clip_len} and {frame_interval}')
        self.clip_len, self.frame_interval = clip_len, frame_interval

    def transform(self, results: dict) -> dict:
        total = results['total_frames']
        start = np.random.randint(max(total - self.clip_len * self.frame_interval, 0) + 1)
        most_steps = max(total - 2 - start, 0) // self.frame_interval
        steps = np.minimum(np.arange(self.clip_len), most_steps)
        results['frame_inds'] = start + steps * self.frame_interval
        results['clip_len'], results['frame_interval'], results['num_clips'] = self.clip_len, self.frame_interval, 1
        return results

    def __repr__(self) -> str:
        return f'SampleStridedClip(clip_len={self.clip_len}, frame_interval={self.frame_interval})'
