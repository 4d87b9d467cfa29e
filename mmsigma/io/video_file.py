"""Frames of a video file as a player shows them, at random.

The definition of frame i is the i-th picture that decoding the file from start to end gives: in presentation order,
without those that an edit list cuts off, upright. :class:`VideoFile` gives exactly these pictures for any choice of
numbers, or an error; a lost frame is never replaced by its neighbour. It imports no more than PyAV and numpy.
"""

import os
import stat
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]

# Timestamps of these formats are those of decoding, or not known at all: frames can only be counted.
_WITHOUT_TIMES = {'avi', 'mpegvideo', 'h264', 'hevc', 'm4v', 'yuv4mpegpipe'}
_GUESSED_RATE = 25.0  # frames per second, of files that do not say
_MAX_PIXELS = 2**27  # of one frame, 16384 x 8192
# Quarter turns counter-clockwise, and whether to mirror first, by the signs of a display matrix (a, b, c, d).
_ORIENTATIONS = {
    (1, 0, 0, 1): (0, False),
    (0, 1, -1, 0): (3, False),
    (-1, 0, 0, -1): (2, False),
    (0, -1, 1, 0): (1, False),
    (-1, 0, 0, 1): (0, True),
    (1, 0, 0, -1): (2, True),
    (0, 1, 1, 0): (1, True),
    (0, -1, -1, 0): (3, True),
}


class UnreadableVideoError(ValueError):
    """A video could not be opened or decoded, or has no frames.

    Attributes:
        filename: Path of the video.
        reason: What is wrong with it, in one line.
    """

    def __init__(self, filename: str | Path, reason: str) -> None:
        super().__init__(str(filename), reason)
        self.filename, self.reason = str(filename), reason

    def __str__(self) -> str:
        return f'{self.filename} cannot be read: {self.reason}'


class ChangedIndexError(RuntimeError):
    """The file has not the frames that its packets announce; it has been counted anew, and numbers mean others now."""


class _Index(NamedTuple):
    """Frames of a file in presentation order.

    Attributes:
        stamps: Presentation time of every frame, in units of the stream's time base; numbers if times are not known.
        keys: Numbers of the frames from which decoding can start.
        is_counted: Whether frames are found by counting from the start, because times do not tell them apart.
        has_times: Whether the stamps are times.
        is_checked: Whether the stamps are those of all frames as decoded, not as announced by packets.
    """

    stamps: list[int]
    keys: list[int]
    is_counted: bool
    has_times: bool
    is_checked: bool


_counted: dict[tuple[str, int, int], _Index] = {}  # by path, size and time of modification


class VideoFile:
    """A video file, opened for reading frames by number.

    Args:
        path: The file.
        num_threads: Threads of the decoder.

    Attributes:
        path: The file.
        size: Height and width of the upright frames as the file states them.
        fps: Mean frame rate as the file states it, or from its times; 0 if neither is known.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If it is not a regular file or not a video, or has no frames.
    """

    def __init__(self, path: str | Path, num_threads: int = 1) -> None:
        self.path = Path(path)
        self._num_threads = num_threads
        _check_regular(self.path)
        self._container, self._stream = self._open()
        try:
            self._index = self._index_of_packets()
        except Exception as error:
            self.close()
            raise self._error(error) from error
        if not self._index.stamps:
            self._count_once()
        if not self._index.stamps:
            self.close()
            raise UnreadableVideoError(path, 'it has no frames')
        self.fps = self._frame_rate()

    def __len__(self) -> int:
        return len(self._index.stamps)

    def __enter__(self) -> 'VideoFile':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no frame can be read any more."""
        self._container.close()

    @property
    def codec(self) -> str:
        """Name of the codec, such as ``'h264'``."""
        return str(self._stream.codec_context.codec.canonical_name)

    @property
    def description(self) -> str:
        """Container and codec, and what is unusual about the file, in words."""
        stamps = self._index.stamps
        unusual = {
            'frames without times of their own': self._index.is_counted,
            'frames that an edit list cuts off': self._num_packets != len(stamps),
            'a late start': self._index.has_times and stamps[0] > stamps[-1] - stamps[0] + 1,
        }
        return ', '.join([f'{self.codec} in {self._container.format.name}', *(k for k, v in unusual.items() if v)])

    @property
    def is_plain(self) -> bool:
        """Whether other decoders can be expected to number frames alike: distinct times from 0 on, nothing cut off."""
        stamps = self._index.stamps
        return (
            not self._index.is_counted
            and self._container.format.name.split(',')[0] in ('mov', 'matroska')
            and self._stream.frames in (0, len(stamps))
            and 0 <= stamps[0] <= stamps[-1] - stamps[0] + 1
            and self._num_packets == len(stamps)
        )

    def times(self) -> npt.NDArray[np.float64]:
        """Return the time of every frame, in seconds after the first one, ``(T,)``."""
        stamps = np.array(self._index.stamps, np.float64)
        if not self._index.has_times:
            return np.arange(len(stamps)) / (self.fps or _GUESSED_RATE)
        times: npt.NDArray[np.float64] = (stamps - stamps[0]) * float(self._stream.time_base or 0)
        return times

    def read(self, numbers: Sequence[int]) -> list[Frame]:
        """Read frames by number, in any order and with repetitions.

        Args:
            numbers: Frame numbers from 0.

        Returns:
            RGB frames ``(H, W, 3)``, one for each number; equal numbers share an array.

        Raises:
            IndexError: If a number is out of range.
            ChangedIndexError: If the file turns out to have other frames than announced; the next call is right.
            UnreadableVideoError: If a frame cannot be decoded.
        """
        wanted = sorted(set(map(int, numbers)))
        if not wanted:
            return []
        if not 0 <= wanted[0] <= wanted[-1] < len(self):
            raise IndexError(
                f'{self.path} has frames 0 to {len(self) - 1}, but {wanted[0]} to {wanted[-1]} are asked for'
            )
        found: dict[int, Frame] = {}
        for first, last in self._runs(wanted):
            own = [number for number in wanted if first <= number <= last]
            found |= self._read_run(own)
        missing = [number for number in wanted if number not in found]
        if missing and not self._index.is_checked:
            self._count()
            raise ChangedIndexError(str(self.path))
        if missing:
            raise UnreadableVideoError(self.path, f'frame {missing[0]} of {len(self)} cannot be decoded')
        return [found[int(number)] for number in numbers]

    def rotation(self) -> int:
        """Return by how many degrees, counter-clockwise, the first stored frame is turned to be upright.

        Raises:
            UnreadableVideoError: If it cannot be decoded.
        """
        return next((90 * _orientation(frame)[0] for frame in self._decoded()), 0)

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames from start to end."""
        for frame in self._decoded():
            yield self._picture(frame)

    # --- opening and indexing -----------------------------------------------------------------------------------------

    @property
    def _lacks_times(self) -> bool:
        return bool(_WITHOUT_TIMES & set(self._container.format.name.split(',')))

    def _open(self) -> tuple[Any, Any]:
        try:
            container = av.open(str(self.path), metadata_errors='ignore')
        except Exception as error:
            raise self._error(error) from error
        video = container.streams.video
        if not video:
            container.close()
            raise UnreadableVideoError(self.path, 'it has no video stream')
        # a cover picture of a sound file is not a video
        stream = next((one for one in video if not _is_cover(one)), None)
        if stream is None:
            container.close()
            raise UnreadableVideoError(self.path, 'it has sound and a cover picture, but no video')
        stream.codec_context.thread_count = self._num_threads
        stream.codec_context.thread_type = 'SLICE' if self._num_threads == 1 else 'AUTO'
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > _MAX_PIXELS:
            container.close()
            raise UnreadableVideoError(self.path, f'its frames claim to have {width} x {height} pixels')
        return container, stream

    def _index_of_packets(self) -> _Index:
        """List the frames that the packets announce, without decoding."""
        stamps, keys, self._num_packets = [], [], 0
        for packet in self._container.demux(self._stream):
            if not packet.size:
                continue
            self._num_packets += 1
            if packet.is_discard:
                continue
            if packet.pts is not None:
                stamps.append(packet.pts)
                if packet.is_keyframe:
                    keys.append(packet.pts)
        distinct = len(set(stamps)) == len(stamps) and len(stamps) > 0
        stamps.sort()
        if distinct and not self._lacks_times:
            places = {stamp: number for number, stamp in enumerate(stamps)}
            return _Index(
                stamps, sorted(places[key] for key in keys), is_counted=False, has_times=True, is_checked=False
            )
        return _Index([], [], is_counted=True, has_times=False, is_checked=False)

    def _count_once(self) -> None:
        """Index the frames of a file without times, which have to be counted, unless this process has done so."""
        status = os.stat(self.path)
        identity = str(self.path), status.st_size, status.st_mtime_ns
        if identity not in _counted:
            self._count()
            _counted[identity] = self._index
        self._index = _counted[identity]

    def _count(self) -> None:
        """Index the frames by decoding all of them."""
        stamps = [frame.pts for frame in self._decoded()]
        known = [stamp for stamp in stamps if stamp is not None]
        has_times = len(known) == len(stamps) and known == sorted(known) and not self._lacks_times
        is_counted = not has_times or len(set(known)) < len(known)
        numbers = known if has_times else list(range(len(stamps)))
        self._index = _Index(numbers, [0], is_counted=is_counted, has_times=has_times, is_checked=True)

    def _frame_rate(self) -> float:
        rate = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        if 0 < rate <= 1000:
            return rate
        stamps = self._index.stamps
        seconds = (stamps[-1] - stamps[0]) * float(self._stream.time_base or 0)
        return (len(stamps) - 1) / seconds if seconds > 0 and self._index.has_times else 0.0

    # --- decoding -----------------------------------------------------------------------------------------------------

    def _runs(self, wanted: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Cut sorted frame numbers where seeking to a key frame skips frames nobody asked for."""
        if self._index.is_counted:
            yield wanted[0], wanted[-1]
            return
        first = last = wanted[0]
        for number in wanted[1:]:
            key = self._key_before(number)
            if key is not None and key > last + 1:
                yield first, last
                first = number
            last = number
        yield first, last

    def _key_before(self, number: int) -> int | None:
        place = bisect_right(self._index.keys, number)
        return self._index.keys[place - 1] if place else None

    def _read_run(self, wanted: Sequence[int]) -> dict[int, Frame]:
        """Decode from the key frame before the first wanted frame to the last one."""
        if self._index.is_counted:
            return self._collect(enumerate(self._decoded()), wanted)
        key = self._key_before(wanted[0])
        places = {stamp: number for number, stamp in enumerate(self._index.stamps)}
        if key:  # otherwise from the start
            start = self._index.stamps[key]
            frames = ((places.get(frame.pts, -1), frame) for frame in self._decoded(start) if frame.pts >= start)
            found = self._collect(frames, wanted)
            if len(found) == len(wanted):
                return found
        # seeking may land behind the key frame, in transport streams for instance
        return self._collect(((places.get(frame.pts, -1), frame) for frame in self._decoded()), wanted)

    def _collect(self, frames: Iterable[tuple[int, Any]], wanted: Sequence[int]) -> dict[int, Frame]:
        ahead, found = set(wanted), {}
        for number, frame in frames:
            if number in ahead:
                found[number] = self._picture(frame)
                ahead.discard(number)
                if not ahead:
                    break
        return found

    def _decoded(self, start: int | None = None) -> Iterator[Any]:
        """Yield the decoded frames from a key frame's time on, or from the start of the file."""
        try:
            if start is not None:
                self._container.seek(start, stream=self._stream, backward=True)
            else:  # opening anew is the only way back to the start in every format
                self._container.close()
                self._container, self._stream = self._open()
            yield from self._container.decode(self._stream)
        except UnreadableVideoError:
            raise
        except (av.FFmpegError, OSError, MemoryError, ValueError) as error:
            raise self._error(error) from error

    def _picture(self, frame: Any) -> Frame:
        picture: Frame = frame.to_ndarray(format='rgb24')
        turns, mirrored = _orientation(frame)
        if mirrored:
            picture = picture[:, ::-1]
        if turns:
            picture = np.rot90(picture, turns)
        return np.ascontiguousarray(picture)

    def _error(self, error: BaseException) -> UnreadableVideoError:
        if isinstance(error, UnreadableVideoError):
            return error
        if isinstance(error, MemoryError):
            return UnreadableVideoError(self.path, 'its header claims sizes that no video has: it is damaged')
        reason = getattr(error, 'strerror', None) or str(error) or type(error).__name__
        return UnreadableVideoError(self.path, str(reason).splitlines()[0])


def _check_regular(path: Path) -> None:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = 'a folder' if stat.S_ISDIR(mode) else 'a pipe or device'
        raise UnreadableVideoError(path, f'it is {kind}, not a file')


def _is_cover(stream: Any) -> bool:
    return bool(int(stream.disposition) & 0x0400)  # AV_DISPOSITION_ATTACHED_PIC


def _orientation(frame: Any) -> tuple[int, bool]:
    """Return how to bring a frame upright: quarter turns counter-clockwise, after mirroring or not."""
    data = frame.side_data.get('DISPLAYMATRIX')
    if data is None:
        return 0, False
    matrix = np.frombuffer(bytes(data), '<i4').reshape(3, 3)
    signs = tuple(np.sign(np.where(np.abs(matrix[:2, :2]) > 2**15, matrix[:2, :2], 0)).ravel().tolist())
    return _ORIENTATIONS.get(signs, (0, False))
