"""Rows of images that show what a model is fed: clips, masks, views, videos to align, sequences to segment."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from mmsigma.datasets.vos.keypoint_dataset import JointSequence
from mmsigma.datasets.vos.sequences import VOSSequence
from mmsigma.ops.resizing import resize_labels
from mmsigma.visualization.labelled_grid import Row
from mmsigma.visualization.masked_video import grey_out
from mmsigma.visualization.overlay import draw_masks

_CROP_COLOUR = (255, 60, 0)
_MAX_CLIPS = 2  # of a video of which many views are taken


class FedSample(NamedTuple):
    """A sample as it leaves its dataset, with what the pipeline knew of it.

    Attributes:
        packed: ``inputs`` and ``data_samples``.
        frames: Decoded frames before all changes, ``(H, W, 3)`` each, uint8; empty if unknown.
        results: Results of the pipeline before they were packed; empty if unknown.
    """

    packed: dict[str, Any]
    frames: Sequence[np.ndarray] = ()
    results: dict[str, Any] = {}  # never written to

    @property
    def info(self) -> dict[str, Any]:
        """Metadata of the sample and results of the pipeline."""
        return {'failures': (), **self.results, **self.packed['data_samples'].metainfo}

    @property
    def is_of_steps(self) -> bool:
        """Whether the sample is a video to align."""
        return 'steps' in self.packed['data_samples']


def rows_of(sample: FedSample, columns: int | None = None) -> list[Row]:
    """Return rows of images with titles, and captions with frame numbers and seconds.

    Args:
        sample: Sample of any dataset of this package, or of mmaction2.
        columns: Number of evenly spread frames to show; None for all.

    Raises:
        ValueError: If nothing is known of how to draw such a sample.
    """
    inputs = sample.packed['inputs']

    def pick(length: int) -> list[int]:
        return evenly_spread(length, columns)

    if isinstance(inputs, VOSSequence):
        return _sequence_rows(inputs, pick)
    if isinstance(inputs, JointSequence):
        return _joint_rows(inputs, pick)
    if isinstance(inputs, dict) and 'images' in inputs:
        return _view_rows(sample, pick)
    if isinstance(inputs, Tensor) and sample.is_of_steps:
        return [_step_row(sample, pick)]
    if isinstance(inputs, Tensor) and inputs.ndim in (4, 5):
        return list(_clip_rows(sample, pick))
    raise ValueError(f'no picture can be drawn of inputs of the type {type(inputs).__name__}')


def evenly_spread(length: int, number: int | None) -> list[int]:
    """Return at most ``number`` places of a sequence, its ends included, or all of them."""
    count = length if number is None else min(number, length)
    places: list[int] = np.linspace(0, length - 1, count).round().astype(int).tolist()
    return places


def moments(info: dict[str, Any], numbers: Sequence[int] | np.ndarray) -> list[str]:
    """Return captions of frames: their numbers, and their times where the frame rate is known."""
    fps = info.get('avg_fps') or info.get('fps')
    bounds = info.get('cycle_bounds')
    texts = []
    for number in map(int, numbers):
        text = f'{number} · {number / fps:.2f} s' if fps else f'frame {number}'
        if bounds is not None and bounds[0] <= number < bounds[-1]:
            text += f' · cycle {int(np.searchsorted(bounds, number, side="right"))}'
        texts.append(text)
    return texts


def fit_frame(frame: np.ndarray, box: tuple[int, int, int, int] | None, height: int, width: int) -> np.ndarray:
    """Fit a frame into (height, width) with white borders, and draw the box (x, y, width, height)."""
    scale = min(height / frame.shape[0], width / frame.shape[1])
    size = max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    if box is not None:
        left, top, right, bottom = (round(edge * scale) for edge in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
        cv2.rectangle(small, (left, top), (right - 1, bottom - 1), _CROP_COLOUR, max(1, min(size) // 80))
    out = np.full((height, width, 3), 255, np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    out[y : y + size[1], x : x + size[0]] = small
    return out


_Pick = Callable[[int], list[int]]


def _clip_rows(sample: FedSample, pick: _Pick) -> Iterator[Row]:
    """Yield the frames of each clip with the crop, its views, and these with masked tubes or annotated objects."""
    info, fed = sample.info, sample.packed['data_samples']
    inputs = sample.packed['inputs']
    views = _as_pixels(inputs if inputs.ndim == 5 else inputs[None])
    length, size = views.shape[2], tuple(views.shape[3:])
    numbers = np.ravel(info.get('frame_inds', np.arange(length)))
    per_clip = max(len(views) * length // max(len(numbers), 1), 1)  # crops of a clip
    num_clips = len(views) // per_clip
    places = pick(length)
    for clip in range(min(num_clips, _MAX_CLIPS)):
        part = [clip * length + place for place in places]
        captions = moments(info, numbers[part]) if part[-1] < len(numbers) else ()
        which = f', clip {clip + 1} of {num_clips}' if num_clips > 1 else ''
        if part[-1] < len(sample.frames):
            box = info.get('crop_box')
            frames = [fit_frame(np.asarray(sample.frames[number]), box, *size) for number in part]
            yield Row(f'video{which}' + (' with its crop' if box is not None else ''), frames, captions)
        for crop in range(per_clip):
            view = views[clip * per_clip + crop]
            name = f'input{which}' + (f', crop {crop + 1} of {per_clip}' if per_clip > 1 else '')
            yield Row(name, [view[:, place].permute(1, 2, 0).numpy() for place in places], captions)
    if 'mask' in fed:
        masked = grey_out(views[0], fed.mask, tuple(info['mask_grid']))
        share = f'{int(fed.mask.sum())} of {len(fed.mask)} tokens masked'
        yield Row(f'visible to the encoder: {share}', [masked[place] for place in places], captions)
    if 'gt_masks' in fed:
        ids = [resize_labels(fed.gt_masks[place].numpy(), size) for place in places]
        frames = [views[0][:, place].permute(1, 2, 0).numpy() for place in places]
        yield Row('annotated objects', list(map(draw_masks, frames, ids)), captions)


def _view_rows(sample: FedSample, pick: _Pick) -> list[Row]:
    """Return the frames of a clip as they are, cropped, with pseudo masks, and their second views (Mask-VOS, DINO)."""
    info, inputs = sample.info, sample.packed['inputs']
    images = _as_pixels(inputs['images']).permute(0, 2, 3, 1).numpy()
    numbers = np.ravel(info.get('frame_inds', np.arange(len(images))))
    is_clip = len(numbers) == len(images)  # otherwise all are crops of one frame
    size, rows = images.shape[1:3], []
    places = pick(len(images)) if is_clip else list(range(len(images)))
    captions = moments(info, numbers[places]) if is_clip else ()
    if len(sample.frames):
        shown = places if is_clip else [0]
        frames = [fit_frame(np.asarray(sample.frames[place]), None, *size) for place in shown]
        rows.append(Row('video', frames, moments(info, numbers[shown])))
    rows.append(Row('input' if is_clip else 'large crops', [*images[places]], captions))
    masks = sample.packed['data_samples'].get('pseudo_mask')
    if masks is not None and masks.numel():
        ids = (masks.argmax(dim=1) if masks.ndim == 4 else masks).to(torch.uint8).numpy()
        drawn = [draw_masks(images[place], ids[place]) for place in places]
        rows.append(Row(f'pseudo masks, {len(np.unique(ids[ids > 0]))} objects', drawn, captions))
    if 'views' in inputs:
        views = _as_pixels(inputs['views']).permute(0, 2, 3, 1).numpy()
        same = is_clip and len(views) == len(images)
        zoom = (
            f', side {info["view_zoom"]:.2f}{", flipped" if info["view_flip"] else ""}' if 'view_zoom' in info else ''
        )
        chosen = places if same else range(len(views))
        rows.append(Row(f'second view{zoom}' if same else 'small crops', [*views[chosen]], captions if same else ()))
    return rows


def _step_row(sample: FedSample, pick: _Pick) -> Row:
    """Return the sampled steps of a video with their phases (GTA)."""
    info, fed = sample.info, sample.packed['data_samples']
    frames, steps = sample.packed['inputs'], fed.steps.numpy()
    context = max(len(frames) // len(steps), 1)
    own = np.arange(context - 1, len(frames), context)  # the last of its context is the step's own frame
    numbers = np.ravel(info.get('frame_inds', frames.new_zeros(0)))
    numbers = numbers[own] if len(numbers) == len(frames) else steps
    places = pick(len(steps))
    captions = moments(info, numbers[places])
    labels = fed.get('frame_labels')
    if labels is not None and int(steps.max()) < len(labels):
        captions = [f'{text}\nphase {int(labels[steps[place]])}' for text, place in zip(captions, places, strict=True)]
    title = f'{Path(_name(info)).name}: {len(steps)} of {info["num_frames"]} frames'
    if context > 1:
        title += f', each with {context - 1} earlier'
    return Row(title, [frames[own[place]].permute(1, 2, 0).numpy() for place in places], captions)


def _sequence_rows(video: VOSSequence, pick: _Pick) -> list[Row]:
    places = pick(len(video.frames))
    frames = [video.read_frame(place) for place in places]
    known = [number for number in places if number in video.masks]
    drawn = [
        draw_masks(frame, video.read_mask(place)) if place in known else frame
        for place, frame in zip(places, frames, strict=True)
    ]
    captions = [f'frame {place}{", given" if place in video.given else ""}' for place in places]
    return [Row('video', frames, captions), Row('annotation', drawn, captions)]


def _joint_rows(video: JointSequence, pick: _Pick) -> list[Row]:
    places, joints = pick(len(video.frames)), video.read_joints()
    drawn = []
    for place in places:
        frame = video.read_frame(place).copy()
        for x, y in joints[place]:
            cv2.circle(frame, (round(x), round(y)), max(min(frame.shape[:2]) // 60, 2), _CROP_COLOUR, -1)
        drawn.append(frame)
    return [Row('video with its joints', drawn, [f'frame {place}' for place in places])]


def heading(samples: Sequence[FedSample]) -> str:
    """Return the heading of a picture: the video with its label, or the action that videos have in common."""
    info, fed = samples[0].info, samples[0].packed['data_samples']
    if len(samples) > 1 and not samples[0].is_of_steps:
        return f'{Path(_name(info)).name}, drawn {len(samples)} times'
    if len(samples) > 1:
        return f'{len(samples)} videos' + (f' of {info["action"]}' if 'action' in info else '')
    parts = [Path(_name(info)).name, *_labels(fed, info)]
    return '  '.join(parts)


def describe(sample: FedSample) -> str:
    """Describe in words which part of which video a sample is; each video that could not be read has its own line."""
    info, fed = sample.info, sample.packed['data_samples']
    parts = [_name(info), *_labels(fed, info)]
    if 'frame_inds' in info and not sample.is_of_steps:
        parts.append(f'frames {np.ravel(info["frame_inds"]).tolist()}')
    if 'crop_box' in info:
        parts.append('crop x={} y={} width={} height={}'.format(*info['crop_box']))
    if 'mask' in fed:
        parts.append(f'{int(fed.mask.sum())} of {len(fed.mask)} tokens masked')
    failures = [f'\n   could not be read: {name} ({reason})' for name, reason in info['failures']]
    return '  '.join(parts) + ''.join(failures)


def _labels(fed: Any, info: dict[str, Any]) -> list[str]:
    """Return what a video shows, in words."""
    parts = []
    if (label := fed.get('gt_label')) is not None:
        labels = label.tolist() if label.numel() == 1 else torch.nonzero(label).ravel().tolist()
        parts.append(f'label {", ".join(map(str, labels))}')
    if 'action' in info:
        parts.append(f'action {info["action"]}')
    if 'gt_count' in fed:
        parts.append(f'{fed.gt_count} repetitions in the whole video')
    return parts


def _name(info: dict[str, Any]) -> str:
    """Return the name of a sample's video."""
    if 'sequence' in info:
        return str(info['sequence'].name)
    return str(info.get('filename', info.get('video_name', 'clip')))


def _as_pixels(clip: Tensor) -> Tensor:
    """Stretch normalised values to 0..255."""
    if clip.dtype == torch.uint8:
        return clip
    low, high = clip.min(), clip.max()
    return ((clip - low) / (high - low).clamp(min=1e-6) * 255).byte()
