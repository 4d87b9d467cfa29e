"""Frames of a video file as a player shows them, at random.

The definition of frame i is the i-th picture that decoding the file from start to end gives: in presentation order,
without those that an edit list cuts off, upright. :class:`VideoFile` gives exactly these pictures for any choice of
numbers, or an error; a lost frame is never replaced by its neighbour. It imports no more than PyAV and numpy.
"""

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from mmsigma.io.shards import file_on_disk
from mmsigma.io.video_container import UnreadableVideoError, error_of, open_container
from mmsigma.io.video_index import Index, decode, index_of_frames, index_of_packets, lacks_times

__all__ = ['ChangedIndexError', 'Frame', 'UnreadableVideoError', 'VideoFile']

Frame = npt.NDArray[np.uint8]

_GUESSED_RATE = 25.0  # frames per second, of files that do not say
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


class ChangedIndexError(RuntimeError):
    """The file has not the frames that its packets announce; it has been counted anew, and numbers mean others now."""


_counted: dict[tuple[str, int, int], Index] = {}  # by path, size and time of modification


class VideoFile:
    """A video file, opened for reading frames by number.

    Args:
        path: The file, which may be a member of a shard, see :mod:`mmsigma.io.shards`.
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
        self._container, self._stream = open_container(self.path, num_threads)
        try:
            self._index = index_of_packets(self._container, self._stream)
            if not self._index.stamps or (self._index.starts_late and not self._shows_first()):
                self._count_once()
        except Exception as error:
            self.close()
            raise error_of(self.path, error) from error
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
            'frames that an edit list cuts off': self._index.num_packets != len(stamps),
            'a late start': self._index.has_times and stamps[0] > stamps[-1] - stamps[0] + 1,
        }
        return ', '.join([f'{self.codec} in {self._container.format.name}', *(k for k, v in unusual.items() if v)])

    @property
    def keys(self) -> list[int]:
        """Numbers of the frames from which decoding can start."""
        return self._index.keys

    @property
    def is_reordered(self) -> bool:
        """Whether frames are stored in another order than they are shown, as with B-frames."""
        return self._index.is_reordered

    @property
    def is_plain(self) -> bool:
        """Whether other decoders can be expected to number frames alike.

        Its frames have distinct times from 0 on, nothing is cut off or in fragments, and seeking to a key frame leaves
        no frame before it undecided.
        """
        stamps, container = self._index.stamps, self._container.format.name.split(',')[0]
        return (
            not self._index.is_counted
            and not self._index.has_open_groups
            and (container == 'mov' and self._stream.frames == len(stamps) or container == 'matroska')
            and 0 <= stamps[0] <= stamps[-1] - stamps[0] + 1
            and self._index.num_packets == len(stamps)
        )

    def times(self) -> npt.NDArray[np.float64]:
        """Return the time of every frame, in seconds after the first one, ``(T,)``."""
        if self._index.has_times and not self._index.is_checked:
            self._check_end()
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
        if missing and self._has_others():
            raise ChangedIndexError(str(self.path))
        if missing:
            raise self._damaged(missing[0])
        return [found[int(number)] for number in numbers]

    def is_mirrored(self) -> bool:
        """Return whether the first frame is mirrored to be upright, which few decoders do."""
        return next((_orientation(frame)[1] for frame, _ in self._decoded() if frame is not None), False)

    def rotation(self) -> int:
        """Return by how many degrees, counter-clockwise, the first stored frame is turned to be upright.

        Raises:
            UnreadableVideoError: If it cannot be decoded.
        """
        return next((90 * _orientation(frame)[0] for frame, _ in self._decoded() if frame is not None), 0)

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames from start to end, whatever is read by number in between.

        Raises:
            UnreadableVideoError: If one cannot be decoded.
        """
        container, stream = open_container(self.path, self._num_threads)  # its own, whose place nothing else moves
        try:
            for number, (frame, is_sound) in enumerate(decode(container.demux(stream))):
                if not is_sound:
                    raise self._damaged(number)
                yield self._picture(frame)
        except UnreadableVideoError:
            raise
        except (av.FFmpegError, OSError, MemoryError, ValueError) as error:
            raise error_of(self.path, error) from error
        finally:
            container.close()

    # --- indexing -----------------------------------------------------------------------------------------------------

    def _shows_first(self) -> bool:
        """Return whether decoding gives the first frame that the packets announce."""
        first = next((frame for frame, is_sound in self._decoded() if is_sound), None)
        return first is not None and first.pts == self._index.stamps[0]

    def _has_others(self) -> bool:
        """Return whether the file turns out to have other frames than announced."""
        if self._index.is_checked:
            return False
        stamps = self._index.stamps
        self._count()
        return self._index.stamps != stamps

    def _damaged(self, number: int) -> UnreadableVideoError:
        return UnreadableVideoError(self.path, f'it is damaged: frame {number} of {len(self)} cannot be decoded')

    def _count_once(self) -> None:
        """Index the frames of a file without times, which have to be counted, unless this process has done so."""
        status = os.stat(file_on_disk(self.path))
        identity = str(self.path), status.st_size, status.st_mtime_ns
        if identity not in _counted:
            self._count()
            _counted[identity] = self._index
        self._index = _counted[identity]

    def _count(self) -> None:
        """Index the frames by decoding all of them."""
        has_times = not lacks_times(self._container)
        self._index = index_of_frames(self._decoded(), self._index, has_times=has_times)

    def _frame_rate(self) -> float:
        rate = float(self._stream.average_rate or self._stream.guessed_rate or 0)
        if 0 < rate <= 1000:
            return rate
        stamps = self._index.stamps
        seconds = (stamps[-1] - stamps[0]) * float(self._stream.time_base or 0)
        return (len(stamps) - 1) / seconds if seconds > 0 and self._index.has_times else 0.0

    def _check_end(self) -> None:
        """Count the frames if the last one is not there, as of files that were cut off."""
        last = len(self) - 1
        if last not in self._read_run([last]):
            self._count()

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
            return self._collect(self._numbered(), wanted)
        key = self._key_before(wanted[0])
        places = {stamp: number for number, stamp in enumerate(self._index.stamps)}
        if key:  # otherwise from the start
            start = self._index.stamps[key]
            frames = (
                (places.get(frame.pts, -1), frame, is_sound)
                for frame, is_sound in self._decoded(start)
                if frame is not None and (frame.pts is None or frame.pts >= start)
            )
            found = self._collect(frames, wanted)
            if len(found) == len(wanted):
                return found
        # seeking may land behind the key frame, in transport streams for instance
        frames = ((places.get(frame.pts, -1), frame, sound) for frame, sound in self._decoded() if frame is not None)
        return self._collect(frames, wanted)

    def _numbered(self) -> Iterator[tuple[int, Any, bool]]:
        """Count the decoded frames; once one is lost, the numbers of all others are not known."""
        number, all_sound = 0, True
        for frame, is_sound in self._decoded():
            all_sound &= is_sound
            if frame is not None:
                yield number, frame, all_sound
                number += 1

    def _collect(self, frames: Iterable[tuple[int, Any, bool]], wanted: Sequence[int]) -> dict[int, Frame]:
        """Take the wanted ones of numbered frames, unless they are not sound."""
        ahead, found = set(wanted), {}
        for number, frame, is_sound in frames:
            if number in ahead:
                if is_sound:
                    found[number] = self._picture(frame)
                ahead.discard(number)
                if not ahead:
                    break
        return found

    def _decoded(self, start: int | None = None) -> Iterator[tuple[Any, bool]]:
        """Yield the decoded frames from a key frame's time on, or from the start of the file, and which are sound."""
        try:
            if start is not None:
                self._container.seek(start, stream=self._stream, backward=True)
            else:  # opening anew is the only way back to the start in every format
                self._container.close()
                self._container, self._stream = open_container(self.path, self._num_threads)
            yield from decode(self._container.demux(self._stream))
        except UnreadableVideoError:
            raise
        except (av.FFmpegError, OSError, MemoryError, ValueError) as error:
            raise error_of(self.path, error) from error

    def _picture(self, frame: Any) -> Frame:
        picture: Frame = frame.to_ndarray(format='rgb24')
        turns, mirrored = _orientation(frame)
        if mirrored:
            picture = picture[:, ::-1]
        if turns:
            picture = np.rot90(picture, turns)
        return np.ascontiguousarray(picture)


def _orientation(frame: Any) -> tuple[int, bool]:
    """Return how to bring a frame upright: quarter turns counter-clockwise, after mirroring or not."""
    data = frame.side_data.get('DISPLAYMATRIX')
    if data is None:
        return 0, False
    matrix = np.frombuffer(bytes(data), '<i4').reshape(3, 3)
    signs = tuple(np.sign(np.where(np.abs(matrix[:2, :2]) > 2**15, matrix[:2, :2], 0)).ravel().tolist())
    return _ORIENTATIONS.get(signs, (0, False))
