"""Decoding in a process of its own, so that a decoder that crashes or hangs takes nothing else with it.

Every process that reads videos has one such companion, which is started on first use, imports PyAV and numpy alone, and
hands over frames in shared memory. If it dies, or is silent for too long, the file is reported as unreadable and not
tried again by this process; the next file gets a new companion. Threads of a process take turns at it.

    python -m mmsigma.io.decoder_process CONNECTION MEMORY     # two inherited file descriptors
"""

import atexit
import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmsigma.io.video_file import ChangedIndexError, Frame, UnreadableVideoError, VideoFile

TIMEOUT = 60.0  # seconds without an answer, after which a decoder is given up
_AHEAD = 16  # frames that are handed over at once when a video is read from start to end


# --- in the companion -------------------------------------------------------------------------------------------------


class _Server:
    """Answers requests ``(method, handle, arguments)`` with ``(kind, value)``."""

    def __init__(self, connection: Connection, memory: int) -> None:
        self.connection, self.memory = connection, memory
        self.shared = mmap.mmap(-1, 1)
        self.files: dict[int, VideoFile] = {}
        self.streams: dict[int, Iterator[Frame]] = {}

    def serve(self) -> None:
        """Answer until the other side is gone."""
        while True:
            try:
                method, handle, arguments = self.connection.recv()
            except (EOFError, OSError):
                return
            try:
                answer = 'value', getattr(self, method)(handle, *arguments)
            except UnreadableVideoError as error:
                answer = 'unreadable', error.reason
            except ChangedIndexError:
                answer = 'changed', self._facts(self.files[handle])
            except FileNotFoundError as error:
                answer = 'missing', str(error.filename)
            except Exception as error:  # what a decoder raises has to reach the caller, whatever it is
                answer = 'unreadable', f'{type(error).__name__}: {error}'
            self.connection.send(answer)

    def open(self, handle: int, path: str, num_threads: int) -> dict[str, Any]:
        """Open a file."""
        self.files[handle] = VideoFile(path, num_threads)
        return self._facts(self.files[handle])

    def _facts(self, file: VideoFile) -> dict[str, Any]:
        names = ('fps', 'is_plain', 'is_reordered', 'keys', 'codec', 'description')
        return dict(length=len(file), **{name: getattr(file, name) for name in names})

    def times(self, handle: int) -> npt.NDArray[np.float64]:
        """Return the times of all frames."""
        return self.files[handle].times()

    def rotation(self, handle: int) -> int:
        """Return the rotation of the first frame."""
        return self.files[handle].rotation()

    def is_mirrored(self, handle: int) -> bool:
        """Return whether the first frame is mirrored."""
        return self.files[handle].is_mirrored()

    def read(self, handle: int, numbers: list[int]) -> tuple[tuple[int, ...], int]:
        """Put frames into the shared memory; returns the shape of one and how many there are."""
        return self._share(self.files[handle].read(numbers))

    def following(self, handle: int, restart: bool) -> tuple[tuple[int, ...], int]:
        """Put the next frames into the shared memory, from the first one on if asked to."""
        if restart or handle not in self.streams:
            self.streams[handle] = iter(self.files[handle])
        frames: list[Frame] = []
        for frame in self.streams[handle]:
            frames.append(frame)
            if len(frames) == _AHEAD:
                break
        return self._share(frames)

    def close(self, handle: int) -> None:
        """Close a file."""
        self.streams.pop(handle, None)
        if file := self.files.pop(handle, None):
            file.close()

    def _share(self, frames: list[Frame]) -> tuple[tuple[int, ...], int]:
        if not frames:
            return (0, 0, 3), 0
        shape = frames[0].shape
        if any(frame.shape != shape for frame in frames):
            raise UnreadableVideoError('', f'its frames change their size, from {shape[1]} x {shape[0]} pixels')
        total = len(frames) * frames[0].size
        if len(self.shared) < total:
            os.ftruncate(self.memory, total)
            self.shared = mmap.mmap(self.memory, total)
        target = np.frombuffer(self.shared, np.uint8, total).reshape(len(frames), *shape)
        for row, frame in zip(target, frames, strict=True):
            row[...] = frame
        return shape, len(frames)


def main() -> None:
    """Serve the process that holds the other end of the connection."""
    connection, memory = (int(argument) for argument in sys.argv[1:3])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # the other side decides when to stop
    _Server(Connection(connection), memory).serve()


# --- in the process that reads ----------------------------------------------------------------------------------------


class _Lost(Exception):
    """The companion died or is silent; the reason follows."""


class _Companion:
    """The decoder process of this process.

    Whoever asks holds ``lock`` until the frames of the answer are copied.
    """

    def __init__(self) -> None:
        self.owner, self.generation, self.handles = os.getpid(), 0, 0
        self.lock = threading.RLock()
        self.process: subprocess.Popen[bytes] | None = None
        self.banned: dict[str, str] = {}

    def start(self) -> None:
        ours, theirs = Pipe()
        self.memory = os.memfd_create('mmsigma-frames')
        descriptors = (theirs.fileno(), self.memory)
        command = [sys.executable, '-m', 'mmsigma.io.decoder_process', *map(str, descriptors)]
        package = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (package, os.environ.get('PYTHONPATH'))))
        self.process = subprocess.Popen(
            command, pass_fds=descriptors, env={**os.environ, 'PYTHONPATH': path}, stdin=subprocess.DEVNULL
        )
        theirs.close()
        self.connection, self.shared = ours, mmap.mmap(-1, 1)
        self.generation += 1

    def stop(self) -> None:
        """End the process, if it is ours."""
        process, self.process = self.process, None
        if process is not None and self.owner == os.getpid():
            self.connection.close()
            process.kill()
            process.wait()
            os.close(self.memory)

    def ask(self, method: str, handle: int, *arguments: Any) -> Any:
        """Ask the companion; returns kind and value of its answer.

        Raises:
            _Lost: If it died or did not answer in time; it is gone then.
        """
        if self.process is None:
            self.start()
        assert self.process is not None
        try:
            self.connection.send((method, handle, arguments))
            if self.connection.poll(TIMEOUT):
                return self.connection.recv()
            reason = f'decoding does not end: no answer within {TIMEOUT:g} s'
        except (EOFError, OSError):
            status = self.process.wait()
            cause = f'signal {-status}' if status < 0 else f'exit code {status}'
            reason = f'the decoder crashed on it ({cause})'
        except BaseException:  # such as Ctrl+C: the next one would get the answer to this question
            self.stop()
            raise
        self.stop()
        raise _Lost(reason)

    def frames(self, shape: tuple[int, ...], count: int) -> list[Frame]:
        """Copy frames out of the shared memory."""
        total = count * int(np.prod(shape))
        if len(self.shared) < total:
            self.shared = mmap.mmap(self.memory, total)
        view = np.frombuffer(self.shared, np.uint8, total).reshape(count, *shape)
        return [frame.copy() for frame in view]


_companion = _Companion()


def _own_companion() -> _Companion:
    """The companion of this process: one that was inherited by a fork belongs to the parent."""
    global _companion
    if _companion.owner != os.getpid():
        banned = _companion.banned
        _companion = _Companion()
        _companion.banned = dict(banned)
    return _companion


@atexit.register
def stop_decoder() -> None:
    """End the decoder process of this process, if there is one; the next read starts another."""
    if _companion.owner != os.getpid():
        return
    if _companion.lock.acquire(timeout=1):
        try:
            _companion.stop()
        finally:
            _companion.lock.release()
    elif process := _companion.process:  # another thread waits for an answer, which does not come now
        process.kill()


class GuardedVideoFile:
    """A :class:`VideoFile` that is open in the companion; same methods, same pictures, same errors.

    Args:
        path: The file.
        num_threads: Threads of the decoder.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If it cannot be read, or a decoder has crashed or hung on it before.
    """

    def __init__(self, path: str | Path, num_threads: int = 1) -> None:
        self.path, self._num_threads = Path(path), num_threads
        self._open()

    def _open(self) -> None:
        companion = _own_companion()
        place = os.path.abspath(self.path)  # the companion has a working directory of its own
        with companion.lock:
            if reason := companion.banned.get(place):
                raise UnreadableVideoError(self.path, reason)
            companion.handles += 1
            self._handle = companion.handles
            facts = self._answer('open', place, self._num_threads)
            self._generation, self._process = companion.generation, companion
        self._set(facts)

    def _set(self, facts: dict[str, Any]) -> None:
        self._length, self.fps, self.is_plain = facts['length'], facts['fps'], facts['is_plain']
        self.codec, self.description = facts['codec'], facts['description']
        self.keys, self.is_reordered = facts['keys'], facts['is_reordered']

    def _answer(self, method: str, *arguments: Any) -> Any:
        companion = _own_companion()
        try:
            kind, value = companion.ask(method, self._handle, *arguments)
        except _Lost as error:
            companion.banned[os.path.abspath(self.path)] = str(error)
            raise UnreadableVideoError(self.path, str(error)) from None
        if kind == 'unreadable':
            raise UnreadableVideoError(self.path, value)
        if kind == 'missing':
            raise FileNotFoundError(f'no video at {self.path}')
        if kind == 'changed':
            self._set(value)
            raise ChangedIndexError(str(self.path))
        return value

    def _reopened(self) -> bool:
        """Open the file again if another file has brought the companion down, or this process is a fork."""
        if self._is_open():
            return False
        self._open()
        return True

    def _is_open(self) -> bool:
        companion = _own_companion()
        return self._process is companion and self._generation == companion.generation and bool(companion.process)

    def _ask(self, method: str, *arguments: Any) -> Any:
        with _own_companion().lock:
            self._reopened()
            return self._answer(method, *arguments)

    def __len__(self) -> int:
        return int(self._length)

    def __enter__(self) -> 'GuardedVideoFile':
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with _own_companion().lock:
            if self._is_open():
                self._answer('close')

    def times(self) -> npt.NDArray[np.float64]:
        """Return the time of every frame, in seconds after the first one, ``(T,)``."""
        times: npt.NDArray[np.float64] = self._ask('times')
        return times

    def rotation(self) -> int:
        """Return the rotation of the first frame in degrees; see :meth:`VideoFile.rotation`."""
        return int(self._ask('rotation'))

    def is_mirrored(self) -> bool:
        """Return whether the first frame is mirrored; see :meth:`VideoFile.is_mirrored`."""
        return bool(self._ask('is_mirrored'))

    def read(self, numbers: Sequence[int]) -> list[Frame]:
        """Read frames by number; see :meth:`VideoFile.read`."""
        numbers = [int(number) for number in numbers]
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(self):
            raise IndexError(
                f'{self.path} has frames 0 to {len(self) - 1}, but {min(numbers)} to {max(numbers)} are asked for'
            )
        companion = _own_companion()
        with companion.lock:
            return companion.frames(*self._ask('read', numbers))

    def __iter__(self) -> Iterator[Frame]:
        """Iterate over the frames from start to end."""
        done, skipped, restart = 0, 0, True
        while True:
            companion = _own_companion()
            with companion.lock:
                if self._reopened():  # what has been returned already comes again
                    restart, skipped = True, done
                shape, count = self._answer('following', restart)
                frames = companion.frames(shape, count)
            if not count:
                return
            restart, again = False, min(skipped, count)
            skipped -= again
            for frame in frames[again:]:
                done += 1
                yield frame


if __name__ == '__main__':
    main()
