"""Choice of the frames that correspondence is learnt from (Mask-VOS, MAST, CRW)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.registry import TRANSFORMS


def step_of_rate(results: dict[str, Any], fps: float) -> int:
    """Return the step, in frames, at which a video is read at about ``fps`` frames per second.

    Args:
        results: Results with ``filename`` and, if known, ``avg_fps``.
        fps: Frames per second.

    Raises:
        ValueError: If the frame rate is unknown, as for a folder of frames.
    """
    rate = results.get('avg_fps')
    if not rate:
        raise ValueError(
            f'{results["filename"]} has no frame rate, which is needed to sample {fps:g} frames per second: set a '
            'step in frames'
        )
    return max(round(float(rate) / fps), 1)


def _count_steps(results: dict[str, Any], step: int, needed: int) -> int:
    """Return how many frames a video has at a step of ``step`` frames; at least ``needed``."""
    count: int = (results['total_frames'] + step - 1) // step
    if count < needed:
        reason = f'it has {count} frames at a step of {step}, {needed} are required'
        raise UnreadableVideoError(results['filename'], reason)
    return count


def _set(results: dict[str, Any], frames: np.ndarray) -> dict[str, Any]:
    results['frame_inds'], results['num_clips'], results['clip_len'] = frames, 1, len(frames)
    return results


@TRANSFORMS.register_module()
class SampleCorrespondingFrames(BaseTransform):
    """Sample a frame, the next one, and a distant one before or after (Mask-VOS, section 3.2).

    More frames may follow the distant one, in the direction away from the first: a memory of more frames, the last of
    which is close, as in testing.

    Required keys: ``filename``, ``total_frames``. Added keys: ``frame_inds``, ``num_clips``, ``clip_len``.

    Args:
        step: Distance from one frame to the next in frames of the video, for instance 5 for videos at 30 frames per
            second.
        min_gap: Smallest distance of the distant frame from the first, in steps. In shorter videos, it is as distant
            as possible.
        num_following: Number of frames that follow the distant one.

    Raises:
        ValueError: If ``step`` or ``min_gap`` is not positive, or ``num_following`` is negative.
    """

    def __init__(self, step: int = 1, min_gap: int = 5, num_following: int = 0) -> None:
        if step < 1 or min_gap < 1:
            raise ValueError(f'step and min_gap must be positive, got {step} and {min_gap}')
        if num_following < 0:
            raise ValueError(f'num_following must not be negative, got {num_following}')
        self.step, self.min_gap, self.num_following = step, min_gap, num_following

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the frames.

        Raises:
            UnreadableVideoError: If the video has fewer than ``2 + 2 * num_following`` steps, with which frames can
                follow on one side of any first frame.
        """
        count = _count_steps(results, self.step, needed=2 + 2 * self.num_following)
        first = int(np.random.randint(count - 1))
        places = np.arange(count)
        ends = places + np.sign(places - first) * self.num_following
        gaps = np.where((ends >= 0) & (ends < count), np.abs(places - first), 0)
        distant = int(np.random.choice(np.flatnonzero(gaps >= min(self.min_gap, gaps.max()))))
        following = distant + np.sign(distant - first) * np.arange(1, self.num_following + 1)
        return _set(results, np.array([first, first + 1, distant, *following]) * self.step)

    def __repr__(self) -> str:
        return (
            f'SampleCorrespondingFrames(step={self.step}, min_gap={self.min_gap}, num_following={self.num_following})'
        )


@TRANSFORMS.register_module()
class SampleFramesAtGaps(BaseTransform):
    """Sample frames in temporal order at random gaps (MAST).

    Required keys: ``filename``, ``total_frames``. Added keys: ``frame_inds``, ``num_clips``, ``clip_len``.

    Args:
        num_frames: Number of frames; 2 for MAST's pairs.
        gaps: Gaps to draw from, in steps; they are shortened in videos that are too short for them.
        probabilities: Probability of each gap.
        step: Length of a step in frames of the video.

    Raises:
        ValueError: If an argument is out of range, or the probabilities do not match the gaps.
    """

    def __init__(
        self,
        num_frames: int = 2,
        gaps: Sequence[int] = (2, 5, 8),
        probabilities: Sequence[float] = (0.4, 0.4, 0.2),
        step: int = 1,
    ) -> None:
        if num_frames < 2 or min(gaps) < 1 or step < 1:
            raise ValueError(
                f'num_frames must be at least 2, gaps and step must be positive, got {num_frames}, {gaps}, {step}'
            )
        if len(gaps) != len(probabilities) or not np.isclose(sum(probabilities), 1):
            raise ValueError(f'probabilities must be one per gap and sum to 1, got {probabilities} for {gaps}')
        self.num_frames, self.gaps, self.probabilities, self.step = num_frames, gaps, probabilities, step

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the frames.

        Raises:
            UnreadableVideoError: If the video has fewer than ``num_frames`` steps.
        """
        count = _count_steps(results, self.step, self.num_frames)
        gaps = np.random.choice(self.gaps, size=self.num_frames - 1, p=self.probabilities)
        gaps = np.minimum(gaps, (count - 1) // (self.num_frames - 1))
        places = np.random.randint(count - gaps.sum()) + np.append(0, gaps.cumsum())
        return _set(results, places * self.step)

    def __repr__(self) -> str:
        return f'SampleFramesAtGaps(num_frames={self.num_frames}, gaps={self.gaps}, step={self.step})'


@TRANSFORMS.register_module()
class SampleClipAtRate(BaseTransform):
    """Sample successive frames at about a given rate, whatever the rate of the video (CRW: 4 frames at 8 per second).

    Starts are multiples of the step as well, so all frames that can be drawn are among those that clustering sees at
    this rate.

    Required keys: ``filename``, ``total_frames``, ``avg_fps``. Added keys: ``frame_inds``, ``num_clips``, ``clip_len``.

    Args:
        num_frames: Number of frames per clip.
        fps: Frames per second.

    Raises:
        ValueError: If an argument is not positive.
    """

    def __init__(self, num_frames: int = 4, fps: float = 8) -> None:
        if num_frames < 1 or fps <= 0:
            raise ValueError(f'num_frames and fps must be positive, got {num_frames} and {fps}')
        self.num_frames, self.fps = num_frames, fps

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the clip.

        Raises:
            UnreadableVideoError: If the video is too short.
            ValueError: If its frame rate is unknown.
        """
        step = step_of_rate(results, self.fps)
        start = np.random.randint(_count_steps(results, step, self.num_frames) - self.num_frames + 1)
        return _set(results, (start + np.arange(self.num_frames)) * step)

    def __repr__(self) -> str:
        return f'SampleClipAtRate(num_frames={self.num_frames}, fps={self.fps:g})'


@TRANSFORMS.register_module()
class ShuffleFrames(BaseTransform):
    """Shuffle the frames of a clip and keep the first few (released code of Mask-VOS: 3 of 5).

    It belongs after the sampling, into the list ``sampling`` of :class:`ReadClip`.

    Modified keys: ``frame_inds``, ``clip_len``.

    Args:
        keep: Number of frames to keep.
    """

    def __init__(self, keep: int = 3) -> None:
        self.keep = keep

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        return _set(results, np.random.permutation(results['frame_inds'])[: self.keep])
