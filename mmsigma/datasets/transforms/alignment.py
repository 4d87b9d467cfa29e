"""Sampling of the steps of a video with their context frames, and packing, for temporal alignment (GTA, CVPR 2021)."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from mmsigma.registry import TRANSFORMS


def context_frames(steps: np.ndarray, num_context: int, stride: int, num_frames: int) -> np.ndarray:
    """Return the context frames of steps, clamped to the video, ``(len(steps) * num_context,)``.

    The context of step t is t - (num_context - 1) * stride, ..., t - stride, t.

    Args:
        steps: Frame numbers of the steps, ``(T,)``.
        num_context: Number of frames per step, including the step's own.
        stride: Distance between context frames, in frames.
        num_frames: Length of the video in frames.
    """
    offsets = np.arange(-(num_context - 1) * stride, 1, stride) if num_context > 1 else np.zeros(1, np.int64)
    return (np.asarray(steps)[:, None] + offsets).clip(0, num_frames - 1).ravel()


@TRANSFORMS.register_module()
class SampleAlignmentSteps(BaseTransform):
    """Sample steps of a video in temporal order, with their context frames.

    Required keys: ``total_frames``. Added keys: ``steps`` ``(T,)``, ``frame_inds`` ``(T * num_context,)``,
    ``num_clips``, ``clip_len``.

    Args:
        num_steps: Number of steps T. A video with fewer than T + ``offset`` frames yields its frames in order, with
            the last one repeated.
        num_context: Number of frames per step, including the step's own.
        context_stride: Distance between context frames, in frames.
        sampling: ``'random'`` draws steps without replacement (TCC's ``offset_uniform``). ``'stride'`` takes steps at
            equal distances over the whole video (GTA) or, with ``stride``, at that distance from a random start (TCC's
            ``stride``).
        positives: Largest distance in frames of a positive, which is listed after each step and precedes it in time
            (TCN: 5); 0 for none.
        offset: First frame that may be drawn, for ``'random'`` and for GTA's ``'stride'``.
        stride: Distance from one step to the next in frames; steps beyond the end repeat the last frame.

    Raises:
        ValueError: If ``sampling`` is unknown or a number is out of range.
    """

    def __init__(
        self,
        num_steps: int = 20,
        num_context: int = 2,
        context_stride: int = 15,
        sampling: str = 'random',
        positives: int = 0,
        *,
        offset: int = 1,
        stride: int | None = None,
    ) -> None:
        if sampling not in ('random', 'stride'):
            raise ValueError(f"sampling must be 'random' or 'stride', got {sampling!r}")
        if min(num_steps, num_context, context_stride) < 1 or min(offset, positives) < 0:
            raise ValueError(
                f'steps, context and strides must be positive, got {num_steps=}, {num_context=}, {context_stride=}, '
                f'{offset=}, {positives=}'
            )
        if stride is not None and (sampling != 'stride' or stride < 1):
            raise ValueError(f"stride must be positive and requires sampling='stride', got {stride} with {sampling!r}")
        self.num_steps, self.num_context, self.context_stride = num_steps, num_context, context_stride
        self.sampling, self.positives, self.offset, self.stride = sampling, positives, offset, stride

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        total = results['total_frames']
        steps = self.choose(total)
        if self.positives:
            earlier = steps - np.random.randint(1, self.positives + 1, size=len(steps))
            steps = np.stack([steps, earlier.clip(min=0)], axis=1).ravel()
        results['steps'] = steps
        results['frame_inds'] = context_frames(steps, self.num_context, self.context_stride, total)
        results['num_clips'], results['clip_len'] = 1, len(results['frame_inds'])
        return results

    def choose(self, total: int) -> np.ndarray:
        """Choose the steps ``(T,)`` of a video of ``total`` frames."""
        places = np.arange(self.num_steps)
        if self.stride is not None:
            start = np.random.randint(max(total - self.num_steps * self.stride, 0) + 1)
            return (start + places * self.stride).clip(max=total - 1)
        if total < self.num_steps + self.offset:
            return places.clip(max=total - 1)
        if self.sampling == 'random':
            return np.sort(np.random.choice(np.arange(self.offset, total), self.num_steps, replace=False))
        return (self.offset + places * (total // self.num_steps)).clip(max=total - 1)


@TRANSFORMS.register_module()
class SampleAllFrames(BaseTransform):
    """Take every frame, for testing.

    Required keys: ``total_frames``. Added keys: ``steps`` and ``frame_inds`` ``(L,)``, ``num_clips``, ``clip_len``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results['steps'] = results['frame_inds'] = np.arange(results['total_frames'])
        results['num_clips'], results['clip_len'] = 1, results['total_frames']
        return results


def resample_phases(phases: np.ndarray, num_frames: int) -> np.ndarray:
    """Resample the phases of a video that were annotated at another frame rate.

    Of L phases and F frames, the longer sequence is thinned as in CARL: entry floor(j * long / short) for each entry j
    of the shorter one. If frames are thinned, those in between, which CARL drops, get the phase of the one before.

    Args:
        phases: Phases ``(L,)``.
        num_frames: Number of frames F.

    Returns:
        Phases ``(F,)``.
    """
    count = len(phases)
    if count >= num_frames:
        return phases[np.arange(num_frames) * count // num_frames]
    kept = np.arange(count) * num_frames // count
    return phases[np.searchsorted(kept, np.arange(num_frames), side='right') - 1]


def transcript_of(labels: np.ndarray) -> np.ndarray:
    """Return the labels of a video in temporal order, with each run of equal labels reduced to one, ``(K,)``.

    Args:
        labels: Labels of the frames, ``(L,)``; negative ones, of background, are skipped.
    """
    known: np.ndarray = labels[labels >= 0]
    starts: np.ndarray = np.diff(known, prepend=-1) != 0
    transcript: np.ndarray = known[starts]
    return transcript


@TRANSFORMS.register_module()
class PackAlignmentInputs(BaseTransform):
    """Pack ``inputs``, uint8 ``(N, 3, H, W)``, and a sample with ``steps``, ``num_frames``, ``action`` and ``subset``.

    If the dataset knows the phases, the sample also has ``frame_labels`` ``(L,)`` of the whole video and its
    ``transcript`` ``(K,)``, see :func:`transcript_of`.

    Args:
        resample_phases: Whether labels whose number differs from that of the frames are resampled, see
            :func:`resample_phases`; otherwise they are an error.
        phases_per_action: Number of labels reserved for each action. Phase p of action a becomes label
            ``a * phases_per_action + p`` of the transcript, so that actions have no label in common; 0 to keep labels
            as they are.
    """

    def __init__(self, resample_phases: bool = False, phases_per_action: int = 0) -> None:
        self.resample_phases, self.phases_per_action = resample_phases, phases_per_action

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack a video.

        Raises:
            ValueError: If the numbers of labels and frames differ, the action has no label, or it has more phases than
                ``phases_per_action``; the message names the video.
        """
        frames = torch.from_numpy(np.stack(results['imgs'])).movedim(-1, 1).contiguous()
        sample = BaseDataElement(steps=torch.as_tensor(results.get('steps', results['frame_inds']), dtype=torch.int64))
        keys = ('filename', 'action', 'subset', 'sample_idx', 'avg_fps', 'failures')
        known: dict[str, Any] = {key: results[key] for key in keys if key in results}
        # videos of an index may share a file, but not a name
        known['filename'] = results.get('name', results.get('filename'))
        sample.set_metainfo(dict(num_frames=int(results['total_frames']), **known))
        if 'frame_labels' in results:
            labels = self._labels(results)
            sample.set_field(torch.as_tensor(labels), 'frame_labels')
            sample.set_field(torch.as_tensor(self._transcript(labels, results)), 'transcript')
        return {'inputs': frames, 'data_samples': sample}

    def _labels(self, results: dict[str, Any]) -> np.ndarray:
        labels, total = results['frame_labels'], results['total_frames']
        if len(labels) != total and not self.resample_phases:
            raise ValueError(
                f'{results["filename"]} has {total} frames but {len(labels)} frame labels: set resample_phases=True if '
                'they were annotated at another frame rate'
            )
        return labels if len(labels) == total else resample_phases(labels, total)

    def _transcript(self, labels: np.ndarray, results: dict[str, Any]) -> np.ndarray:
        transcript, most = transcript_of(labels), self.phases_per_action
        if not most:
            return transcript
        if results['label'] < 0:
            raise ValueError(f'{results["filename"]} has no action label in the list, which phases_per_action requires')
        if (last := transcript.max(initial=0)) >= most:
            raise ValueError(
                f'{results["filename"]} has the phase {last}: phases_per_action must be at least {last + 1}'
            )
        numbered: np.ndarray = results['label'] * most + transcript
        return numbered
