"""Which frames of a video correspondence is learnt from (Mask-VOS, MAST, CRW)."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.registry import TRANSFORMS


def step_of_rate(results: dict, fps: float) -> int:
    """Frames from one to the next at about so many a second.

    Raises:
        ValueError: If the frames have no rate, as those of a folder.
    """
    rate = results.get('avg_fps')
    if not rate:
        raise ValueError(f'{results["filename"]} has no frame rate to take {fps:g} a second by: give a step instead')
    return max(round(float(rate) / fps), 1)


def _count_steps(results: dict, step: int, needed: int) -> int:
    count = (results['total_frames'] + step - 1) // step
    if count < needed:
        raise UnreadableVideoError(results['filename'], f'{count} frames at a step of {step}, {needed} are needed')
    return count


def _set(results: dict, frames: np.ndarray) -> dict:
    results['frame_inds'], results['num_clips'], results['clip_len'] = frames, 1, len(frames)
    return results


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
        count = _count_steps(results, self.step, needed=2)
        first = int(np.random.randint(count - 1))
        gaps = np.abs(np.arange(count) - first)
        distant = int(np.random.choice(np.flatnonzero(gaps >= min(self.min_gap, gaps.max()))))
        return _set(results, np.array([first, first + 1, distant]) * self.step)

    def __repr__(self) -> str:
        return f'SampleCorrespondingFrames(step={self.step}, min_gap={self.min_gap})'


@TRANSFORMS.register_module()
class SampleFramesAtGaps(BaseTransform):
    """Frames in order of time, each at a gap from the one before that is drawn anew (MAST).

    Required keys: ``filename``, ``total_frames``. Added keys: ``frame_inds``, ``num_clips``, ``clip_len``.

    Args:
        num_frames: 2 for MAST's pairs.
        gaps: In steps; in videos too short for them they are as long as fits.
        probabilities: Of the gaps.
        step: Frames of the video per step.
    """

    def __init__(
        self,
        num_frames: int = 2,
        gaps: Sequence[int] = (2, 5, 8),
        probabilities: Sequence[float] = (0.4, 0.4, 0.2),
        step: int = 1,
    ) -> None:
        if num_frames < 2 or min(gaps) < 1 or step < 1:
            raise ValueError(f'num_frames must be 2 or more, gaps and step positive, got {num_frames}, {gaps}, {step}')
        if len(gaps) != len(probabilities) or not np.isclose(sum(probabilities), 1):
            raise ValueError(f'probabilities must be one per gap and add up to 1, got {probabilities} for {gaps}')
        self.num_frames, self.gaps, self.probabilities, self.step = num_frames, gaps, probabilities, step

    def transform(self, results: dict) -> dict:
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
    """Frames in a row at about so many a second, whatever the rate of the video (CRW: 4 at 8 a second).

    Starts are whole steps too, so that all frames that can be drawn are those that clustering sees at this rate.

    Required keys: ``filename``, ``total_frames``, ``avg_fps``. Added keys: ``frame_inds``, ``num_clips``, ``clip_len``.

    Args:
        num_frames: In a clip.
        fps: Frames a second.
    """

    def __init__(self, num_frames: int = 4, fps: float = 8) -> None:
        if num_frames < 1 or fps <= 0:
            raise ValueError(f'num_frames and fps must be positive, got {num_frames} and {fps}')
        self.num_frames, self.fps = num_frames, fps

    def transform(self, results: dict) -> dict:
        """Draw the clip.

        Raises:
            UnreadableVideoError: If the video is too short.
            ValueError: If it has no frame rate.
        """
        step = step_of_rate(results, self.fps)
        start = np.random.randint(_count_steps(results, step, self.num_frames) - self.num_frames + 1)
        return _set(results, (start + np.arange(self.num_frames)) * step)

    def __repr__(self) -> str:
        return f'SampleClipAtRate(num_frames={self.num_frames}, fps={self.fps:g})'


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
