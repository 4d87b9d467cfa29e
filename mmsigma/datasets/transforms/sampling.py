"""Choice of the frames of a clip, for training and for multi-view testing (VideoMAE; SIGMA)."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.registry import TRANSFORMS


class _ClipSampler(BaseTransform):
    """Base class that sets ``frame_inds``, ``clip_len``, ``frame_interval`` and ``num_clips`` from ``frames``."""

    clip_len: int
    frame_interval: int

    def frames(self, total_frames: int) -> np.ndarray:
        """Return the frame numbers ``(num_clips, clip_len)`` for a video of ``total_frames`` frames."""
        raise NotImplementedError

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frames = self.frames(results['total_frames'])
        results['frame_inds'] = frames.ravel()
        results['clip_len'], results['frame_interval'] = self.clip_len, self.frame_interval
        results['num_clips'] = len(frames)
        return results

    def __repr__(self) -> str:
        arguments = ', '.join(f'{name}={value}' for name, value in vars(self).items())
        return f'{type(self).__name__}({arguments})'


@TRANSFORMS.register_module()
class SampleStridedClip(_ClipSampler):
    """Sample one clip at an exact stride from a random start, as VideoMAE and SIGMA do for pre-training.

    The start is uniform over 0 .. total_frames - clip_len * frame_interval, both included. A video too short for that
    starts at 0; as soon as the next step would reach its last frame, the frame before is repeated.

    Required keys: ``total_frames``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Number of frames per clip.
        frame_interval: Stride in frames (paper: 4 on Kinetics, 2 on Something-Something).
    """

    def __init__(self, clip_len: int = 16, frame_interval: int = 4) -> None:
        if clip_len < 1 or frame_interval < 1:
            raise ValueError(f'clip_len and frame_interval must be positive, got {clip_len} and {frame_interval}')
        self.clip_len, self.frame_interval = clip_len, frame_interval

    def frames(self, total_frames: int) -> np.ndarray:
        start = np.random.randint(max(total_frames - self.clip_len * self.frame_interval, 0) + 1)
        most_steps = max(total_frames - 2 - start, 0) // self.frame_interval
        return (start + np.minimum(np.arange(self.clip_len), most_steps) * self.frame_interval)[None]


@TRANSFORMS.register_module()
class SampleDenseClip(_ClipSampler):
    """Sample one clip from a random window, as VideoMAE and SIGMA do for fine-tuning on Kinetics.

    The window has clip_len * frame_interval frames, and the clip consists of clip_len evenly spaced points of it, with
    both ends included and truncated to whole frames. The effective stride is frame_interval * clip_len / (clip_len -
    1), 4.27 instead of 4, as in the released code. A video that is not longer than the window yields as many points as
    it has strides, then repeats its last frame.

    Required keys: ``total_frames``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Number of frames per clip.
        frame_interval: Nominal stride in frames.
    """

    def __init__(self, clip_len: int = 16, frame_interval: int = 4) -> None:
        self.clip_len, self.frame_interval = clip_len, frame_interval

    def frames(self, total_frames: int) -> np.ndarray:
        window = self.clip_len * self.frame_interval
        start = np.random.randint(max(total_frames - window, 0) + 1)
        stop = min(start + window, total_frames)
        points = np.linspace(start, stop, (stop - start) // self.frame_interval)
        points = np.append(points, np.full(self.clip_len - len(points), stop))
        return np.minimum(points, stop - 1).astype(np.int64)[None]


@TRANSFORMS.register_module()
class SampleDenseViews(_ClipSampler):
    """Sample equally spaced test clips over the whole video, as VideoMAE and SIGMA do on Kinetics.

    The video is thinned to every ``frame_interval``-th frame, with the last one repeated if there are too few. Clip k
    of S starts at entry int(k * (len - clip_len) / (S - 1)) of these frames. A single clip is the middle one.

    Required keys: ``total_frames``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Number of frames per clip.
        frame_interval: Stride in frames.
        num_clips: Number of clips S.
    """

    def __init__(self, clip_len: int = 16, frame_interval: int = 4, num_clips: int = 5) -> None:
        self.clip_len, self.frame_interval, self.num_clips = clip_len, frame_interval, num_clips

    def frames(self, total_frames: int) -> np.ndarray:
        thinned = np.arange(0, total_frames, self.frame_interval)
        thinned = np.append(thinned, np.full(max(self.clip_len - len(thinned), 0), thinned[-1]))
        room = len(thinned) - self.clip_len
        if self.num_clips == 1:
            starts = np.array([room // 2])
        else:
            starts = (np.arange(self.num_clips) * (room / (self.num_clips - 1))).astype(np.int64)
        return thinned[starts[:, None] + np.arange(self.clip_len)]


@TRANSFORMS.register_module()
class SampleSegmentClip(_ClipSampler):
    """Sample one random frame from each of ``clip_len`` equal segments of the video (TSN), as on Something-Something.

    Segments have whole numbers of frames, as in the released code, so up to ``clip_len`` - 1 frames at the end are
    never used. If a video has fewer than ``clip_len`` frames, for which the released code repeats the first frame,
    segments are fractions of a frame, so frames repeat in order.

    Required keys: ``total_frames``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Number of frames per clip.
    """

    def __init__(self, clip_len: int = 16) -> None:
        self.clip_len, self.frame_interval = clip_len, 1

    def frames(self, total_frames: int) -> np.ndarray:
        length = total_frames // self.clip_len
        if length:
            return (np.arange(self.clip_len) * length + np.random.randint(length, size=self.clip_len))[None]
        places = (np.arange(self.clip_len) + np.random.rand(self.clip_len)) * total_frames / self.clip_len
        return places.astype(np.int64)[None]


@TRANSFORMS.register_module()
class SampleSegmentViews(_ClipSampler):
    """Sample test clips from ``clip_len`` equal segments, at their middles and starts, as on Something-Something.

    Middles and starts are sorted together, and clip k of 2 takes every second one from k. A single clip takes the
    middles.

    Required keys: ``total_frames``. Added keys: ``frame_inds``, ``clip_len``, ``frame_interval``, ``num_clips``.

    Args:
        clip_len: Number of frames per clip.
        num_clips: Number of clips, 1 or 2.
    """

    def __init__(self, clip_len: int = 16, num_clips: int = 2) -> None:
        if num_clips not in (1, 2):
            raise ValueError(f'segments only have a start and a middle: num_clips must be 1 or 2, got {num_clips}')
        self.clip_len, self.frame_interval, self.num_clips = clip_len, 1, num_clips

    def frames(self, total_frames: int) -> np.ndarray:
        starts = np.arange(self.clip_len) * (total_frames / self.clip_len)
        middles = (starts + total_frames / self.clip_len / 2).astype(np.int64)
        if self.num_clips == 1:
            return middles[None]
        both = np.sort(np.append(middles, starts.astype(np.int64)))
        return np.stack([both[0::2], both[1::2]])
