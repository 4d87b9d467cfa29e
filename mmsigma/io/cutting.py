"""Cutting segments out of video files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmsigma.io.video import write_mp4


def cut_video(
    source: str | Path,
    path: str | Path,
    start: float,
    end: float,
    *,
    short_side: int | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> None:
    """Write the segment of a video between two times as MPEG-4, without sound.

    Args:
        source: Video file to read.
        path: Video file to write.
        start: Start of the segment, in seconds from the start of the video.
        end: End of the segment, in seconds from the start of the video; a frame shown at this time is excluded.
        short_side: Length in pixels to which frames with a longer short side are reduced; None to keep their size.
        size: Width and height of the written frames in pixels; replaces ``short_side``.
        fps: Frame rate of the written file, each frame being the one shown at its time; None for that of the source.

    Raises:
        OSError: If ``source`` cannot be read or ``path`` cannot be written.
        ValueError: If the video has no frame between the two times.
    """
    import av

    try:
        with av.open(str(source)) as container:
            stream = container.streams.video[0]
            unit = float(stream.time_base or 0)
            offset = (stream.start_time or 0) * unit
            container.seek(int((start + offset) / unit), stream=stream, backward=True)
            frames = _frames_between(container.decode(stream), start + offset, end + offset)
            if fps is not None:
                frames = _at_rate(frames, start + offset, end + offset, fps)
            shown = (frame.to_ndarray(format='rgb24') for frame in frames)
            pictures = (_resize(frame, size) if size else _reduce(frame, short_side) for frame in shown)
            write_mp4(path, pictures, fps or float(stream.average_rate or 25))
    except (av.FFmpegError, IndexError, ZeroDivisionError) as error:
        raise OSError(f'{source} cannot be read from {start:.2f} to {end:.2f} s: {error}') from error


def _frames_between(frames: Iterator[Any], start: float, end: float) -> Iterator[Any]:
    """Yield the PyAV frames with ``start <= time < end``, in seconds."""
    for frame in frames:
        if frame.time is not None and frame.time >= end:
            return
        if frame.time is not None and frame.time >= start:
            yield frame


def _at_rate(frames: Iterator[Any], start: float, end: float, fps: float) -> Iterator[Any]:
    """Yield the PyAV frame shown at ``start``, ``start + 1 / fps``, ...; the first one also covers times before it."""
    count, shown, gap = 0, None, 0.0
    for frame in frames:
        while shown is not None and start + count / fps < frame.time - 1e-6:
            yield shown
            count += 1
        gap = frame.time - shown.time if shown is not None else 1 / fps
        shown = frame
    while shown is not None and start + count / fps < min(end, shown.time + gap) - 1e-6:
        yield shown
        count += 1


def _resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return frame if frame.shape[1::-1] == size else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)


def _reduce(frame: np.ndarray, short_side: int | None) -> np.ndarray:
    height, width = frame.shape[:2]
    if short_side is None or min(height, width) <= short_side:
        return frame
    scale = short_side / min(height, width)
    size = [2 * round(side * scale / 2) for side in (width, height)]  # even, as the encoder requires
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
