"""Steps of a video to be embedded, each with the frames before it (GTA, CVPR 2021)."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from mmsigma.registry import TRANSFORMS


def context_frames(steps: np.ndarray, num_context: int, stride: int, num_frames: int) -> np.ndarray:
    """Frames t - (n - 1) * stride, ..., t - stride, t of steps t, clamped to the video: (len(steps) * n,)."""
    offsets = np.arange(-(num_context - 1) * stride, 1, stride) if num_context > 1 else np.zeros(1, np.int64)
    return (np.asarray(steps)[:, None] + offsets).clip(0, num_frames - 1).ravel()


@TRANSFORMS.register_module()
class SampleAlignmentSteps(BaseTransform):
    """Steps of a video in the order of time, with their context.

    Required keys: ``total_frames``. Added keys: ``steps`` (T,), ``frame_inds`` (T * num_context,), ``num_clips``,
    ``clip_len``.

    Args:
        num_steps: T; a video with no more frames than that gives its frames in order, the last one repeated.
        num_context: Frames per step, the step's own included.
        context_stride: Frames between them.
        sampling: ``'random'``: without replacement (TCC's ``offset_uniform``); ``'stride'``: at equal distances over
            the whole video (GTA), or with ``stride``, so many frames apart from a random start (TCC's ``stride``).
        offset: First frame that is drawn, of ``'random'`` and GTA's ``'stride'``.
        stride: Frames from one step to the next; steps beyond the end are the last frame.
        positives: Largest distance of a positive, which comes after each step and lies before it (TCN: 5); 0 for none.
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
            raise ValueError(f"stride is a positive number for sampling='stride', got {stride} with {sampling!r}")
        self.num_steps, self.num_context, self.context_stride = num_steps, num_context, context_stride
        self.sampling, self.positives, self.offset, self.stride = sampling, positives, offset, stride

    def transform(self, results: dict) -> dict:
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
        """Steps (T,) of a video of so many frames."""
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
    """Every frame, for testing. Required keys: ``total_frames``. Added keys: ``steps``, ``frame_inds`` and others."""

    def transform(self, results: dict) -> dict:
        results['steps'] = results['frame_inds'] = np.arange(results['total_frames'])
        results['num_clips'], results['clip_len'] = 1, results['total_frames']
        return results


def resample_phases(phases: np.ndarray, num_frames: int) -> np.ndarray:
    """Phases of a video that were annotated at another frame rate.

    Of L phases and F frames, the longer is thinned out as CARL does, entry floor(j * long / short) for each j of the
    shorter. If these are frames, those between, which CARL drops, have the phase of the one before.

    Args:
        phases: (L,).
        num_frames: F.

    Returns:
        (F,).
    """
    count = len(phases)
    if count >= num_frames:
        return phases[np.arange(num_frames) * count // num_frames]
    kept = np.arange(count) * num_frames // count
    return phases[np.searchsorted(kept, np.arange(num_frames), side='right') - 1]


def transcript_of(labels: np.ndarray) -> np.ndarray:
    """Labels in the order of time, each as often as it begins anew, (K,).

    Args:
        labels: Of the frames of a video (L,); negative ones, of background, are passed over.
    """
    known = labels[labels >= 0]
    return known[np.diff(known, prepend=-1) != 0]


@TRANSFORMS.register_module()
class PackAlignmentInputs(BaseTransform):
    """Pack ``inputs``, uint8 (N, 3, H, W), and a sample with ``steps``, ``num_frames``, ``action`` and what is known.

    The sample also has ``subset``, and ``frame_labels`` (L,) and ``transcript`` (K,) of the whole video, see
    :func:`transcript_of`, if the data set knows them.

    Args:
        resample_phases: Labels of another number than that of the frames are those of another frame rate, see
            :func:`resample_phases`; otherwise they are an error.
        phases_per_action: Makes phase p of action a label ``a * phases_per_action + p`` of the transcript, so that
            actions have no label in common; 0 for labels as they are.
    """

    def __init__(self, resample_phases: bool = False, phases_per_action: int = 0) -> None:
        self.resample_phases, self.phases_per_action = resample_phases, phases_per_action

    def transform(self, results: dict) -> dict:
        """Pack a video.

        Raises:
            ValueError: If it has another number of labels than frames, or an action has more phases than it may; the
                video is named.
        """
        frames = torch.from_numpy(np.stack(results['imgs'])).movedim(-1, 1).contiguous()
        sample = BaseDataElement(steps=torch.as_tensor(results.get('steps', results['frame_inds']), dtype=torch.int64))
        known = {key: results[key] for key in ('filename', 'action', 'subset', 'failures') if key in results}
        known['filename'] = results.get('name', results.get('filename'))  # of several videos of one file
        sample.set_metainfo(dict(num_frames=int(results['total_frames']), **known))
        if 'frame_labels' in results:
            labels = self._labels(results)
            sample.set_field(torch.as_tensor(labels), 'frame_labels')
            sample.set_field(torch.as_tensor(self._transcript(labels, results)), 'transcript')
        return {'inputs': frames, 'data_samples': sample}

    def _labels(self, results: dict) -> np.ndarray:
        labels, total = results['frame_labels'], results['total_frames']
        if len(labels) != total and not self.resample_phases:
            raise ValueError(
                f'{results["filename"]} has {total} frames and labels of {len(labels)}: set resample_phases=True if '
                'they were annotated at another frame rate'
            )
        return labels if len(labels) == total else resample_phases(labels, total)

    def _transcript(self, labels: np.ndarray, results: dict) -> np.ndarray:
        transcript, most = transcript_of(labels), self.phases_per_action
        if not most:
            return transcript
        if results['label'] < 0:
            raise ValueError(
                f'{results["filename"]} has no label of its action in the list: phases_per_action needs one'
            )
        if (last := transcript.max(initial=0)) >= most:
            raise ValueError(f'{results["filename"]} has a phase {last}: phases_per_action must be {last + 1} or more')
        return results['label'] * most + transcript
