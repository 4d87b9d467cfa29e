"""The contract of reading: right, or a named error within some seconds; no crash, no hang, no frame that is another.

Every file is read in a process of its own kind, so that a crash or a hang is an outcome like any other.
"""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from zlib import crc32

import av
import numpy as np

from mmsigma.io import decoder_process
from mmsigma.io.decoders import open_video
from mmsigma.io.video import FrameReader, frame_times, read_frames
from mmsigma.io.video_file import UnreadableVideoError
from tests.robustness.numbered import number_of

SECONDS = 20.0  # for everything that is asked of a file
RIGHT, REFUSED, IN_PART = 'right', 'refused', 'right or refused'
Read = Callable[[str, Sequence[int] | None], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Expected:
    """What a file must give.

    Attributes:
        path: The file.
        shown: Numbers that its frames show, in order; None if decoding decides.
        is_video: Whether it must be readable (True), must be refused (False), or may be either (None).
        is_turned: Whether frames are not stored as they are shown.
    """

    path: str
    shown: tuple[int, ...] | None
    is_video: bool | None
    is_turned: bool = False


class Wrong(Exception):
    """The contract is broken; the message says how."""


# --- what decoding from start to end gives, by PyAV alone -------------------------------------------------------------


@lru_cache(maxsize=600)
def reference(path: str) -> list[np.ndarray]:
    """Decode a file from start to end, as a player does: what cannot be decoded is skipped."""
    pictures: list[np.ndarray] = []
    try:
        with av.open(path, metadata_errors='ignore') as file:
            stream = next(s for s in file.streams.video if not int(s.disposition) & 0x0400)
            stream.codec_context.thread_type, stream.codec_context.thread_count = 'SLICE', 1
            for packet in file.demux(stream):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue
                pictures += [frame.to_ndarray(format='rgb24') for frame in frames]
    except (av.FFmpegError, OSError, ValueError, MemoryError, StopIteration):
        pass
    return pictures


# --- how a file is read -----------------------------------------------------------------------------------------------


def _by_decoder(decoder: str) -> Read:
    return lambda path, numbers: read_frames(path, numbers, decoder)


def _frame_reader(path: str, numbers: Sequence[int] | None) -> Sequence[np.ndarray]:
    reader = FrameReader(path)
    return list(reader) if numbers is None else [reader.read(number) for number in numbers]


def _clip(path: str, numbers: Sequence[int] | None) -> Sequence[np.ndarray]:
    from mmsigma.datasets.transforms import ReadClip

    clip = ReadClip(dict(type='SampleStridedClip', clip_len=1, frame_interval=1))
    clip.sampling = lambda results: {
        **results,
        'frame_inds': np.arange(results['total_frames']) if numbers is None else np.array(numbers),
    }
    frames: list[np.ndarray] = clip(dict(filename=path))['imgs']
    return frames


READS: dict[str, Read] = {
    'auto': _by_decoder('auto'),
    'pyav': _by_decoder('pyav'),
    'decord': _by_decoder('decord'),
    'torchcodec': _by_decoder('torchcodec'),
    'FrameReader': _frame_reader,
    'ReadClip': _clip,
}


def available(name: str) -> bool:
    """Whether a way of reading can be tried here."""
    if name not in ('decord', 'torchcodec'):
        return True
    try:
        __import__(name)
    except (ImportError, RuntimeError, OSError):
        return False
    return True


# --- what has to hold -------------------------------------------------------------------------------------------------


def check(name: str, expected: Expected) -> str:
    """Read a file in one way, whole and in part.

    Returns:
        Whether it was right, refused, or one for some frames and the other for the rest.

    Raises:
        Wrong: If the contract is broken.
    """
    truth = reference(expected.path) if os.path.isfile(expected.path) else []
    length, outcomes = _length(expected), []
    for numbers in [None, *_choices(expected, length)]:
        try:
            frames = READS[name](expected.path, numbers)
        except (UnreadableVideoError, FileNotFoundError) as error:
            _check_message(error, expected)
            outcomes.append(REFUSED)
            continue
        except IndexError as error:
            if numbers is None or max(numbers) < len(truth) or expected.path not in str(error):
                raise Wrong(f'IndexError: {error}') from error
            continue
        _check_frames(frames, numbers, truth, expected, length - len(truth))
        outcomes.append(RIGHT)
    if name == 'auto' and outcomes[0] == RIGHT:
        _check_times(expected, length)
    outcome = outcomes[0] if len(set(outcomes)) == 1 else IN_PART
    if expected.is_video is False and outcome != REFUSED:
        raise Wrong('it is no video, but was read')
    if expected.is_video and outcome != RIGHT and name not in ('decord', 'torchcodec'):
        raise Wrong('a player plays it, but it was refused')
    return outcome


def _length(expected: Expected) -> int:
    try:
        return len(open_video(expected.path))
    except (UnreadableVideoError, FileNotFoundError):
        return 0


def _choices(expected: Expected, length: int) -> list[list[int]]:
    """Some frames to ask for: the last one, and several in random order."""
    if not length:
        return []
    rng = np.random.default_rng(crc32(os.fsencode(os.path.basename(expected.path))))
    return [[length - 1], [length // 2, *rng.integers(length, size=5).tolist()]]


def _check_message(error: Exception, expected: Expected) -> None:
    reason = getattr(error, 'reason', 'no video at')
    if expected.path not in str(error) or not reason or '\n' in reason or 'Error:' in reason or '0x' in reason:
        raise Wrong(f'the message is not for people: {error!r}')


def _check_frames(
    frames: Sequence[np.ndarray],
    numbers: Sequence[int] | None,
    truth: list[np.ndarray],
    expected: Expected,
    num_lost: int,
) -> None:
    """Compare frames with what they must show, and pixel by pixel with what decoding gives.

    Players leave out frames of damaged files that cannot be decoded, and move up those that follow. They still have
    the numbers that their times give them.
    """
    if numbers is None:
        length = len(truth if expected.shown is None else expected.shown)
        if len(frames) != length and num_lost <= 0:
            raise Wrong(f'it has {length} frames, but {len(frames)} were read')
        numbers = range(len(frames))
    for number, frame in zip(numbers, frames, strict=True):
        found = number_of(frame)
        if expected.shown is not None and found != expected.shown[number]:
            raise Wrong(f'frame {number} shows {found} instead of {expected.shown[number]}')
        same = truth[max(number - max(num_lost, 0), 0) : number + 1]
        if expected.is_turned or any(np.array_equal(frame, picture) for picture in same):
            continue
        if found is None and any(number_of(picture) is None for picture in same):
            continue  # rubbish that the decoder of its codec does not notice, and fills in one way or another
        raise Wrong(f'frame {number} of {len(truth)} is not what decoding gives; it shows {found}')


def _check_times(expected: Expected, length: int) -> None:
    times = frame_times(expected.path)
    if len(times) != length:
        length = len(read_frames(expected.path))  # others than announced
    if len(times) != length or times[0] != 0 or (np.diff(times) < 0).any() or not np.isfinite(times).all():
        raise Wrong(f'{length} frames have the times {times.tolist()}')


# --- a process of its own ---------------------------------------------------------------------------------------------


def _serve(connection: Connection) -> None:
    av.logging.set_level(None)
    decoder_process.TIMEOUT = SECONDS / 2
    while True:
        name, expected = connection.recv()
        try:
            answer = check(name, expected)
        except Wrong as error:
            answer = f'WRONG: {error}'
        except Exception as error:  # any other exception breaks the contract
            answer = f'WRONG: {type(error).__name__}: {error}'
        connection.send(answer)


class Reader:
    """Checks files in a process that may crash or hang."""

    def __init__(self) -> None:
        self.process: multiprocessing.process.BaseProcess | None = None

    def check(self, name: str, expected: Expected) -> str:
        """Return the outcome of reading a file; one that begins with WRONG breaks the contract."""
        if self.process is None:
            self.connection, theirs = multiprocessing.Pipe()
            self.process = multiprocessing.get_context('spawn').Process(target=_serve, args=(theirs,), daemon=True)
            self.process.start()
            theirs.close()
            self.connection.send(('FrameReader', Expected(os.devnull, None, None)))  # imports take their time
            self.connection.recv()
        self.connection.send((name, expected))
        try:
            if self.connection.poll(SECONDS):
                return str(self.connection.recv())
            outcome = f'WRONG: no answer within {SECONDS:g} s'
        except (EOFError, OSError):
            self.process.join()
            outcome = f'WRONG: crash with exit code {self.process.exitcode}'
        self.close()
        return outcome

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
        self.process = None

    def __enter__(self) -> 'Reader':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def expected_of(path: Path, shown: Sequence[int] | None, is_video: bool | None, kind: str) -> Expected:
    """What a generated file must give."""
    return Expected(str(path), None if shown is None else tuple(shown), is_video, kind == 'orientations')
