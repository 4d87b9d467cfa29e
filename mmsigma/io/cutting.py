"""Cutting segments out of video files."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from mmsigma.io.decoder_process import GuardedVideoFile
from mmsigma.io.video import write_mp4
from mmsigma.io.video_file import ChangedIndexError, Frame, UnreadableVideoError

_ROUNDING = 1e-6  # seconds by which times may differ from those that are asked for
_PART = 2**28  # bytes of frames that are read at once


def cut_video(
    source: str | Path,
    path: str | Path,
    start: float,
    end: float,
    *,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    write: Callable[[str | Path, Iterable[Frame], float], None] = write_mp4,
) -> int:
    """Write the segment of a video between two times, as MPEG-4 by default, without sound.

    Frames are those of :func:`mmsigma.io.video.read_frames`, upright, and times those of
    :func:`mmsigma.io.video.frame_times`.

    Args:
        source: Video file to read.
        path: Video file to write.
        start: Start of the segment, in seconds after the first frame.
        end: End of the segment, in seconds after the first frame; a frame shown at this time is excluded.
        short_side: Length in pixels to which frames with a longer short side are reduced; None to keep their size.
        size: Width and height of the written frames in pixels; replaces ``short_side``.
        fps: Frame rate of the written file, each frame being the one shown at its time; None for that of the source.
        write: Function that writes frames of a rate to a file.

    Returns:
        Number of frames of the segment that was written.

    Raises:
        FileNotFoundError: If there is no ``source``.
        OSError: If a frame of ``source`` in the segment cannot be read, or ``path`` cannot be written.
        ValueError: If the video has no frame between the two times.
    """
    try:
        with GuardedVideoFile(source) as video:

            def cut() -> int:
                numbers = _numbers_between(video.times(), start, end, fps)
                frames = _read_in_parts(video, numbers)
                pictures = (_resize(frame, size) if size else _reduce(frame, short_side) for frame in frames)
                write(path, pictures, fps or video.fps or 25.0)
                return len(numbers)

            try:
                return cut()
            except ChangedIndexError:  # the file has other frames than its packets announce, and other times
                return cut()
    except UnreadableVideoError as error:
        raise OSError(f'{source} cannot be read from {start:.2f} to {end:.2f} s: {error.reason}') from error


def _numbers_between(times: npt.NDArray[np.float64], start: float, end: float, fps: float | None) -> list[int]:
    """Return the numbers of the frames to write; those of a rate are shown at ``start``, ``start + 1 / fps``, ..."""
    first, last = np.searchsorted(times, (start - _ROUNDING, end - _ROUNDING))
    if fps is None or first == last:
        return list(range(first, last))
    # the last frame is shown as long as the one before it
    gap = times[last - 1] - times[last - 2] if last - first > 1 else 1 / fps
    shown_until = min(end, times[last - 1] + gap)
    count = max(0, int(np.ceil((shown_until - start - _ROUNDING) * fps)))
    asked = start + np.arange(count) / fps
    numbers = np.searchsorted(times, asked + _ROUNDING, side='right') - 1
    shown: list[int] = np.maximum(numbers, first).tolist()  # the first one also covers times before it
    return shown


def _read_in_parts(video: GuardedVideoFile, numbers: Sequence[int]) -> Iterator[Frame]:
    """Yield frames of increasing numbers, of which few are in memory; parts end before key frames where possible.

    Decoding starts at a key frame, so that a part that begins with one decodes nothing twice.
    """
    counts = Counter(numbers)
    wanted = sorted(counts)
    most, place = 1, 0
    while place < len(wanted):
        end = min(place + most, len(wanted))
        if end < len(wanted):
            key = video.keys[max(0, bisect_right(video.keys, wanted[end]) - 1)] if video.keys else 0
            before_key = bisect_left(wanted, key)
            end = before_key if place < before_key < end else end
        part = wanted[place:end]
        frames = video.read(part)
        for number, frame in zip(part, frames, strict=True):
            yield from repeat(frame, counts[number])
        most = max(1, _PART // frames[0].size)
        place = end


def _resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return frame if frame.shape[1::-1] == size else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _reduce(frame: np.ndarray, short_side: int | None) -> np.ndarray:
    height, width = frame.shape[:2]
    if short_side is None or min(height, width) <= short_side:
        return frame
    scale = short_side / min(height, width)
    size = [2 * round(side * scale / 2) for side in (width, height)]  # even, as the encoder requires
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
