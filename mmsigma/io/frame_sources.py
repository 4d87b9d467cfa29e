"""What users have as videos, read in one way: files, folders, arrays, tensors and iterators of frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmsigma.io.frame_array import ARRAY_SUFFIX, FrameArray
from mmsigma.io.video import FrameReader

_REMEDY = (
    'give a video file, a folder of frames, an array or tensor of frames, or an iterator of frames (H, W, 3); a list '
    'is a batch of these'
)


class FrameSource(Protocol):
    """Frames of one video, one after the other or by number.

    Attributes:
        name: Name of the video, for files and messages.
        names: Name of every frame.
        fps: Frames per second.
    """

    name: str
    names: list[str]
    fps: float

    def __len__(self) -> int:
        """Number of frames."""

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Iterate over the RGB frames, ``(H, W, 3)``, uint8."""

    def times(self) -> npt.NDArray[np.float64]:
        """Return the time of every frame, in seconds after the first one, ``(T,)``."""

    def read(self, number: int, /) -> npt.NDArray[np.uint8]:
        """Read the RGB frame of a given number, ``(H, W, 3)``, uint8."""


VideoInput = str | Path | FrameSource | npt.NDArray[np.generic] | Tensor | Iterator[npt.NDArray[np.generic]]
"""A video: see :func:`open_frames`."""


class FramesInMemory:
    """Frames ``(T, H, W, 3)``, uint8, that a program has.

    Attributes:
        name: Name of the video.
        names: Numbers of the frames, with five digits.
        fps: Frames per second.
    """

    def __init__(self, frames: npt.NDArray[np.uint8], fps: float = 24.0, name: str = 'frames') -> None:
        self._frames, self.fps, self.name = frames, fps, name
        self.names = [f'{number:05d}' for number in range(len(frames))]

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        return map(self.read, range(len(self)))

    def times(self) -> npt.NDArray[np.float64]:
        """Return the time of every frame, in seconds after the first one, ``(T,)``."""
        return np.arange(len(self)) / self.fps

    def read(self, number: int) -> npt.NDArray[np.uint8]:
        """Read the RGB frame of a given number, ``(H, W, 3)``, uint8.

        Raises:
            IndexError: If the number is out of range.
        """
        if not 0 <= number < len(self):
            raise IndexError(f'{self.name} has frames 0 to {len(self) - 1}, but {number} is asked for')
        return np.array(self._frames[number])


class SourceReader:
    """A :class:`FrameSource` behind the interface of decoders, :class:`mmsigma.io.decoders.VideoReader`."""

    def __init__(self, source: FrameSource) -> None:
        self._source, self.fps = source, source.fps

    def __len__(self) -> int:
        return len(self._source)

    def read(self, numbers: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
        """Read frames by number, in any order and with repetitions: RGB ``(H, W, 3)``, uint8."""
        return [self._source.read(number) for number in numbers]

    def close(self) -> None:
        """Release nothing: the source is the caller's."""


def open_frames(video: VideoInput, fps: float = 24.0) -> FrameSource:
    """Open whatever is a video.

    * A path: a video file, a folder with the frames of one video, or a file of numpy with frames.
    * An array ``(T, H, W, 3)``: RGB, uint8, or floats from 0 to 1.
    * A tensor ``(T, H, W, 3)``, ``(T, 3, H, W)`` or ``(3, T, H, W)`` of the same values. The channels are the only axis
      of these three that has 3 entries; a tensor with several such axes is refused.
    * An iterator, such as a generator, of frames ``(H, W, 3)`` of equal size. They are all kept in memory.

    Args:
        video: The video, or an open one, which is returned as it is.
        fps: Frames per second of what does not state it.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If a file cannot be read.
        ValueError: If an array has another shape, type or range, there is no frame, or frames differ in size; the
            message names what was given and what to give instead.
        TypeError: If it is something else, such as a list, which is a batch of videos.
    """
    if isinstance(video, str | Path):
        path = Path(video)
        if path.suffix == ARRAY_SUFFIX and path.is_file():
            stored = FrameArray(path)
            return FramesInMemory(stored.frames, fps, path.stem)
        return FrameReader(path, fps)
    if isinstance(video, np.ndarray):
        return FramesInMemory(_checked(video), fps)
    if isinstance(video, Tensor):
        return FramesInMemory(_checked(_as_array(_channels_last(video))), fps)
    if _is_source(video):
        return video
    if isinstance(video, Iterator):
        return FramesInMemory(_gather(video), fps)
    raise TypeError(f'{type(video).__name__} is no video: {_REMEDY}')


def _is_source(video: object) -> TypeGuard[FrameSource]:
    return all(hasattr(video, name) for name in ('names', 'fps', 'times', 'read'))


def _channels_last(tensor: Tensor) -> Tensor:
    """Move the channels of a tensor to its end, ``(T, H, W, 3)``."""
    shape = tuple(tensor.shape)
    if tensor.ndim != 4:
        raise ValueError(_wrong_shape('tensor', shape))
    axes = [axis for axis in (0, 1, 3) if shape[axis] == 3]
    if not axes:
        raise ValueError(_wrong_shape('tensor', shape))
    if len(axes) > 1:
        raise ValueError(
            f'a tensor {shape} is ambiguous: axes {axes} have 3 entries, so that any of them could be the channels. '
            'Give an array, .permute(...).numpy() of it, which is always (T, H, W, 3)'
        )
    return tensor.movedim(axes[0], -1)


def _as_array(tensor: Tensor) -> npt.NDArray[np.generic]:
    array: npt.NDArray[np.generic] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)
    return array


def _wrong_shape(kind: str, shape: tuple[int, ...]) -> str:
    known = '(T, H, W, 3)' if kind == 'array' else '(T, H, W, 3), (T, 3, H, W) or (3, T, H, W)'
    remedy = 'colours are RGB, without an alpha channel'
    if len(shape) == 3:
        grey = 'repeat grey frames (T, H, W) as RGB, such as by numpy.stack([video] * 3, axis=-1)'
        remedy = (
            'a single frame is video[None], a list of frames numpy.stack(frames)' if 3 in (shape[0], shape[2]) else grey
        )
    elif len(shape) == 2:
        remedy = 'a single grey frame is numpy.stack([frame] * 3, axis=-1)[None]'
    elif len(shape) == 4 and shape[3] == 1:
        remedy = 'repeat the grey channel three times'
    elif len(shape) == 5:
        remedy = 'a batch is list(videos), one entry per video'
    elif len(shape) == 4 and kind == 'array' and 3 in shape[:2]:
        remedy = 'move the channels to the end, such as by numpy.moveaxis'
    return f'a video as {"an array" if kind == "array" else "a tensor"} is {known}, got {shape}: {remedy}'


def _checked(frames: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Check frames ``(T, H, W, 3)``, and convert them to uint8."""
    if frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(_wrong_shape('array', frames.shape))
    if not frames.size:
        raise ValueError(f'a video {frames.shape} has no frames')
    return _as_bytes(frames)


def _as_bytes(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values.view(np.uint8)
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(
            f'frames are uint8, or floats from 0 to 1, got {values.dtype}: convert them with astype(uint8)'
        )
    low, high = float(values.min()), float(values.max())
    if np.isnan(low):
        raise ValueError(f'{np.isnan(values).sum():,} values of the frames are NaN, not a number: look at their origin')
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f'frames of floats are from 0 to 1, but these are from {low:g} to {high:g}: undo their normalisation, or '
            'convert values up to 255 to uint8'
        )
    return np.rint(values.astype(np.float64) * 255).astype(np.uint8)


def _gather(frames: Iterator[npt.NDArray[np.generic]]) -> npt.NDArray[np.uint8]:
    """Collect the frames of an iterator, ``(T, H, W, 3)``."""
    kept: list[npt.NDArray[np.uint8]] = []
    for number, frame in enumerate(frames):
        frame = _as_array(frame) if isinstance(frame, Tensor) else frame
        if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3:
            found = frame.shape if isinstance(frame, np.ndarray) else type(frame).__name__
            raise ValueError(f'frame {number} of an iterator is {found}, expected (H, W, 3): {_REMEDY}')
        if kept and frame.shape != kept[0].shape:
            raise ValueError(f'frame {number} is {frame.shape}, but earlier ones are {kept[0].shape}: resize them')
        kept.append(_as_bytes(frame))
    if not kept:
        raise ValueError('the iterator has no frames; it may have been used up before')
    return np.stack(kept)
