"""Clips of segmented videos, for the evaluation of unsupervised segmentation (TimeTuning; SIGMA)."""

import hashlib
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from PIL import Image
from torch.utils.data import Dataset

from mmsigma.datasets.vos.sequences import VOSSequence, find_sequences
from mmsigma.io.masks import category_ids
from mmsigma.io.text import read_json
from mmsigma.ops.resizing import resize_labels
from mmsigma.registry import DATASETS

FrameChoice = Literal['even', 'random', 'consecutive']
FRAME_CHOICES: tuple[FrameChoice, ...] = ('even', 'random', 'consecutive')


@DATASETS.register_module()
class SegmentationClipDataset(Dataset[Any]):
    """One clip per video: frames of the network's input size with masks of the size that is scored.

    Frames and masks are resized without keeping their aspect ratio. As in TimeTuning and SIGMA, a mask is resized to
    ``img_size`` by sampling the centres of the new pixels, and from there to ``mask_size`` by sampling their top left
    corners. Only annotated frames are chosen.

    A sample has ``inputs``, uint8 ``(3, T, img_size, img_size)``, and ``data_samples`` with ``gt_masks``, uint8
    ``(T, mask_size, mask_size)``, and the metadata ``video_name``, ``frame_inds`` and ``sample_idx``.

    Args:
        layout: Folder layout: ``'davis'``, ``'youtube_vos'`` or ``'folders'``; see
            :func:`mmsigma.datasets.vos.sequences.find_sequences`.
        data_root: Folder of the dataset.
        num_frames: Number of frames T per clip.
        frame_choice: One of ``FRAME_CHOICES``; see :func:`choose_frames`.
        frame_seed: Seed of the random choice of frames.
        img_size: Side of the frames in pixels.
        mask_size: Side of the masks in pixels.
        share: Fraction of the videos to use, chosen by :func:`fixed_share`; None for all.
        share_seed: Seed of that choice.
        videos: Names of the videos to keep; None for all.
        categories: Whether to replace object ids by those of their categories, from ``meta.json`` of YouTube-VOS.
        test_mode: Unused; accepted because evaluation configs set it.
        **settings: Arguments of the layout, such as ``year`` and ``split``.

    Raises:
        FileNotFoundError: If the folder has another layout, or frames or masks are missing.
        ValueError: If an argument has an unknown value, ``videos`` contains a video that does not exist, or
            ``meta.json`` lists no categories.
    """

    def __init__(
        self,
        layout: str,
        data_root: str,
        *,
        num_frames: int = 16,
        frame_choice: FrameChoice = 'even',
        frame_seed: int = 0,
        img_size: int = 224,
        mask_size: int = 28,
        share: float | None = None,
        share_seed: int = 0,
        videos: Sequence[str] | None = None,
        categories: bool = False,
        test_mode: bool = True,
        **settings: Any,
    ) -> None:
        if frame_choice not in FRAME_CHOICES or num_frames < 1:
            raise ValueError(
                f'frame_choice must be one of {FRAME_CHOICES} and num_frames positive, '
                f'got {frame_choice!r} and {num_frames}'
            )
        if categories and layout != 'youtube_vos':
            raise ValueError(f"only layout='youtube_vos' has categories, not {layout!r}")
        self.num_frames, self.frame_choice, self.frame_seed = num_frames, frame_choice, frame_seed
        self.img_size, self.mask_size = img_size, mask_size
        self.metainfo = dict(dataset_type='segmentation_clips', frame_choice=frame_choice)
        known = {sequence.name: sequence for sequence in find_sequences(layout, data_root, **settings)}
        if unknown := [name for name in videos or () if name not in known]:
            raise ValueError(f'{data_root} has no videos {unknown}; it has {sorted(known)[:10]}')
        names = list(known) if share is None else fixed_share(known, share, share_seed)
        self.sequences = [known[name] for name in names if videos is None or name in videos]
        self.tables: dict[str, dict[int, int]] = {}
        if categories:
            self.tables = read_categories(Path(data_root, settings.get('split', 'valid'), 'meta.json'))

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read a clip.

        Raises:
            ValueError: If a file is not an image or not a mask; the message names it.
        """
        video = self.sequences[index]
        annotated = sorted(video.masks)
        seed = [self.frame_seed, zlib.crc32(video.name.encode())]
        places = choose_frames(len(annotated), self.num_frames, self.frame_choice, seed)
        numbers = [annotated[place] for place in places]
        frames = np.stack([resize_picture(video.read_frame(number), self.img_size) for number in numbers])
        masks = torch.stack([self._read_mask(video, number) for number in numbers])
        sample = BaseDataElement(metainfo=dict(video_name=video.name, frame_inds=numbers, sample_idx=index))
        sample.set_data({'gt_masks': masks})
        return {'inputs': torch.from_numpy(frames).permute(3, 0, 1, 2).contiguous(), 'data_samples': sample}

    def _read_mask(self, video: VOSSequence, number: int) -> torch.Tensor:
        mask = video.read_mask(number)
        if self.tables:
            table = self.tables[video.name]
            mask = category_ids(mask, [*table], [*table.values()])
        return shrink_mask(mask, self.img_size, self.mask_size)


def choose_frames(
    available: int, num_frames: int, choice: FrameChoice = 'even', seed: int | Sequence[int] = 0
) -> list[int]:
    """Choose the frames of a clip, in temporal order.

    ``'even'`` spreads them from the first to the last, at rounded positions. ``'random'`` draws a subset, which
    TimeTuning calls uniform; frames of a video that is too short are drawn repeatedly. ``'consecutive'`` takes those in
    the middle; a video that is too short repeats its last frame.

    Args:
        available: Number of frames to choose from.
        num_frames: Number of frames T to choose.
        choice: One of ``FRAME_CHOICES``.
        seed: Seed of the draw.

    Returns:
        Frame numbers, of length T.

    Raises:
        ValueError: If ``choice`` is unknown, or there are no frames.
    """
    if choice not in FRAME_CHOICES or available < 1:
        raise ValueError(f'cannot choose from {available} frames by {choice!r}: the choices are {FRAME_CHOICES}')
    if choice == 'even':
        # a single frame is the middle one
        first, last = (0, available - 1) if num_frames > 1 else ((available - 1) / 2,) * 2
        numbers = np.linspace(first, last, num_frames).round().astype(int)
    elif choice == 'random':
        drawn = np.random.default_rng(seed).choice(available, num_frames, replace=available < num_frames)
        numbers = np.sort(drawn)
    else:
        start = max(0, (available - num_frames) // 2)
        numbers = np.minimum(np.arange(start, start + num_frames), available - 1)
    chosen: list[int] = numbers.tolist()
    return chosen


def fixed_share(names: Iterable[str], share: float = 0.2, seed: int = 0) -> list[str]:
    """Choose a fraction of videos by name, the same on every machine and nearly the same if a few videos are missing.

    The names with the smallest SHA-256 digests of ``"<seed>:<name>"`` are taken. SIGMA evaluates on a random fifth of
    the training videos of YouTube-VOS, but does not list it.

    Args:
        names: All names, in any order.
        share: Fraction to choose, above 0 and at most 1.
        seed: Seed; another one leads to another choice.

    Returns:
        Chosen names, sorted: the rounded fraction of their number, but at least one.

    Raises:
        ValueError: If there are no names, or ``share`` is out of range.
    """
    ranked = sorted(names, key=lambda name: hashlib.sha256(f'{seed}:{name}'.encode()).digest())
    if not ranked or not 0 < share <= 1:
        raise ValueError(f'cannot take a share of {share} of {len(ranked)} videos')
    return sorted(ranked[: max(1, round(share * len(ranked)))])


def read_categories(path: str | Path) -> dict[str, dict[int, int]]:
    """Read the category of each object of YouTube-VOS by video, as a number 1, 2, ... in alphabetical order.

    Args:
        path: ``meta.json`` of a split; categories are numbered over all of its videos.

    Returns:
        For each video, category numbers by object id.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If an object has no category.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no annotation at {path}: set data_root to the folder of YouTube-VOS')
    videos = read_json(path)['videos']
    lacking = [name for name, video in videos.items() if any('category' not in o for o in video['objects'].values())]
    if lacking:
        raise ValueError(
            f'{path}: {len(lacking)} videos have objects without a category, for example {lacking[0]}; use the '
            'training '
            'split, or categories=False'
        )
    named = {name: {int(i): o['category'] for i, o in video['objects'].items()} for name, video in videos.items()}
    alphabet = sorted({category for objects in named.values() for category in objects.values()})
    numbers = {category: number for number, category in enumerate(alphabet, 1)}
    return {name: {i: numbers[category] for i, category in objects.items()} for name, objects in named.items()}


def shrink_mask(mask: np.ndarray, img_size: int = 224, mask_size: int = 28) -> torch.Tensor:
    """Resize ids ``(H, W)`` to the scored resolution, uint8 ``(mask_size, mask_size)``, via that of the frames."""
    square = resize_labels(mask, (img_size, img_size))
    return torch.from_numpy(resize_labels(square, (mask_size, mask_size), 'corner'))


def resize_picture(picture: np.ndarray, size: int) -> np.ndarray:
    """Resize an image ``(H, W, 3)``, uint8, to a square of ``size`` pixels a side, regardless of its aspect ratio."""
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))
