"""Reading whole videos part by part, in processes of their own, for a network that encodes each frame once."""

import multiprocessing
import signal
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from mmsigma.datasets.transforms.clip_sampling import step_of_rate
from mmsigma.datasets.transforms.decoding import ReadClip, UnreadableVideoError
from mmsigma.io.decoders import VideoDecoder
from mmsigma.models.propagation.frame_geometry import FrameGeometry


class FrameResize:
    """Resizes frames to whole cells of an encoder.

    Args:
        size: Side in pixels, regardless of the aspect ratio.
        keep_aspect: Whether it is the short side alone, and the long one follows from the aspect ratio.
        stride: Side of a cell in pixels.
    """

    def __init__(self, size: int, keep_aspect: bool, stride: int) -> None:
        self.size, self.keep_aspect, self.stride = size, keep_aspect, stride

    def __call__(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Resize a frame ``(H, W, 3)``, uint8."""
        return FrameGeometry(self.stride, size=self.target(picture.shape[:2])).resize(picture)

    def target(self, shape: Sequence[int]) -> tuple[int, int]:
        """Return the height and the width to which frames of a height and a width are resized."""
        if not self.keep_aspect:
            return self.size, self.size
        height, width = (max(round(side * self.size / min(shape) / self.stride), 1) * self.stride for side in shape)
        return height, width


class VideoPart(NamedTuple):
    """Consecutive ones of the frames that are sampled from a video, or why it cannot be read.

    Attributes:
        video: Place of the video in the list.
        pictures: Resized frames ``(n, H, W, 3)``, uint8; none if the video cannot be read.
        frames: Their numbers in the video, ``(n,)``, int64.
        is_last: Whether nothing of this video follows.
        reason: Why it cannot be read from here on; empty if it can.
    """

    video: int
    pictures: Tensor
    frames: Tensor
    is_last: bool
    reason: str = ''


class _Stretch:
    """Sampling of ``count`` frames from ``first`` on, at a step or a rate; ``num_sampled`` is their total number."""

    def __init__(self, step: int, fps: float | None, first: int, count: int) -> None:
        self.step, self.fps, self.first, self.count = step, fps, first, count

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        step = step_of_rate(results, self.fps) if self.fps else self.step
        everything = np.arange(0, results['total_frames'], step)
        results['frame_inds'] = everything[self.first : self.first + self.count]
        results['num_sampled'] = len(everything)
        results['num_clips'], results['clip_len'] = 1, len(results['frame_inds'])
        return results


class VideoParts(IterableDataset[VideoPart]):
    """All parts of all videos, those of each video in order; the videos are shared out among the loader's workers.

    Args:
        videos: Files of the videos.
        decoder: Decoder of the videos, see :class:`mmsigma.datasets.transforms.ReadClip`.
        resize: What resizes the frames.
        step: Step between frames.
        fps: Frames per second, instead of every ``step``-th frame.
        length: Number of frames of a part.
    """

    def __init__(
        self,
        videos: Sequence[str],
        decoder: VideoDecoder,
        resize: FrameResize,
        *,
        step: int = 1,
        fps: float | None = None,
        length: int = 64,
    ) -> None:
        self.videos, self.decoder, self.resize = list(videos), decoder, resize
        self.step, self.fps, self.length = step, fps, length

    def __iter__(self) -> Iterator[VideoPart]:
        worker = get_worker_info()
        own = slice(worker.id, None, worker.num_workers) if worker else slice(None)
        for place in range(len(self.videos))[own]:
            yield from self._read(place)

    def _read(self, place: int) -> Iterator[VideoPart]:
        first, total = 0, 1
        while first < total:
            stretch = dict(type=_Stretch, step=self.step, fps=self.fps, first=first, count=self.length)
            given = dict(filename=self.videos[place], start_index=0, modality='RGB')
            try:
                results = ReadClip(stretch, self.decoder)(given)
            except UnreadableVideoError as error:
                yield VideoPart(
                    place, torch.empty(0, 0, 0, 3, dtype=torch.uint8), torch.empty(0).long(), True, error.reason
                )
                return
            pictures = torch.from_numpy(np.stack([self.resize(picture) for picture in results['imgs']]))
            first, total = first + len(pictures), results['num_sampled']
            yield VideoPart(place, pictures, torch.from_numpy(results['frame_inds']), first >= total)


def read_ahead(parts: VideoParts, num_workers: int) -> Generator[VideoPart, None, None]:
    """Read videos in ``num_workers`` processes, each two parts ahead, or in this one with 0.

    Parts of several videos are mixed, but those of each video are in order. The processes end when the iterator is
    closed. They are forked from a server, since they start in the middle of a training, from whose threads and GPU
    contexts they would inherit locks. The server imports what they need once, which takes seconds, and remains.
    """
    iterator = _start(parts, num_workers)
    try:
        yield from iterator
    finally:
        del iterator  # ends the workers


def _start(parts: VideoParts, num_workers: int) -> Iterator[VideoPart]:
    # its package imports those who call these functions
    from mmsigma.engine.hooks.interruption import SIGNALS, init_worker

    # without a generator of its own, a loader draws from the one that belongs to the training
    settings: dict[str, Any] = dict(batch_size=None, collate_fn=_as_it_is, generator=torch.Generator())
    if not num_workers:
        return iter(DataLoader(parts, **settings))
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__])
    init = partial(init_worker, init=_use_one_thread)
    loader = DataLoader(
        parts, num_workers=num_workers, worker_init_fn=init, multiprocessing_context=context, **settings
    )
    # what starts now inherits this, and is not ended by signals for this process before it can leave them to it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _as_it_is(part: VideoPart) -> VideoPart:
    return part


def _use_one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
