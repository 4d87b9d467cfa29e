"""Decoders of videos behind one interface.

``'auto'`` reads everything: folders as images, decoded frames in files of numpy, other files with PyAV in a process of
its own. Its frames are those that a player shows, see :mod:`mmsigma.io.video_file`. decord and torchcodec are asked
only for files whose frames they number alike.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from mmsigma.io.decoder_process import GuardedVideoFile
from mmsigma.io.frame_array import ARRAY_SUFFIX, FrameArray
from mmsigma.io.pictures import list_frames, read_picture
from mmsigma.io.shards import find_member
from mmsigma.io.video_file import ChangedIndexError, Frame, UnreadableVideoError

VideoDecoder = Literal['auto', 'pyav', 'decord', 'torchcodec', 'frames']
# Codecs that the FFmpeg inside decord's wheel decodes, and whose frames decord finds again when it seeks; in files with
# B-frames, it returns neighbours for all but the first ones.
_DECORD_CODECS = {'h264', 'vp8', 'vp9'}
_DECORD_CODECS_IN_ORDER = {*_DECORD_CODECS, 'mpeg4', 'hevc'}


class VideoReader(Protocol):
    """An open video.

    Attributes:
        fps: Mean frame rate; 0 if it is not known.
    """

    fps: float

    def __len__(self) -> int:
        """Number of frames."""

    def read(self, numbers: Sequence[int], /) -> list[Frame]:
        """Read frames by number, in any order and with repetitions: RGB ``(H, W, 3)``, uint8."""

    def close(self) -> None:
        """Release the file."""


class FolderReader:
    """The images of a folder in the order of :func:`mmsigma.io.pictures.list_frames`.

    Raises:
        UnreadableVideoError: If there is no such folder, it has no images, or not only the frames of one video.
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self.fps = Path(path), 0.0
        if self.path.is_file():
            raise UnreadableVideoError(path, 'it is a file, but decoder=frames reads folders: set decoder=auto')
        try:
            self.pictures = list_frames(path)
        except (OSError, ValueError) as error:
            raise UnreadableVideoError(path, str(error)) from error
        if not self.pictures:
            raise UnreadableVideoError(path, 'the folder has no images')

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, numbers: Sequence[int]) -> list[Frame]:
        """Read images by number.

        Raises:
            IndexError: If a number is out of range.
            UnreadableVideoError: If a file is not an image, or two images differ in size.
        """
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(self):
            raise IndexError(
                f'{self.path} has frames 0 to {len(self) - 1}, but {min(numbers)} to {max(numbers)} are asked for'
            )
        if not numbers:
            return []
        read: dict[int, Frame] = {}
        for number in sorted(set(numbers)):
            try:
                read[number] = read_picture(self.pictures[number])
            except (OSError, ValueError) as error:
                reason = str(error).replace(f'{self.pictures[number].parent}/', '')
                raise UnreadableVideoError(self.path, reason) from error
        first = min(read)
        for number, picture in read.items():  # all frames of a clip are cropped at the same position
            if picture.shape != read[first].shape:
                sizes = [f'{self.pictures[n].name} is {read[n].shape[1]} x {read[n].shape[0]}' for n in (first, number)]
                raise UnreadableVideoError(
                    self.path, f'all images of a video must have the same size: {", ".join(sizes)}'
                )
        return [read[number] for number in numbers]

    def close(self) -> None:
        """Release nothing: images are closed as soon as they are read."""


class _PlainFileReader:
    """A decoder that is trusted with plain files alone: what it calls frame i is what a player shows as frame i."""

    name: str

    def __init__(self, path: str | Path) -> None:
        self.path = path
        with GuardedVideoFile(path) as truth:
            self._length, self.fps = len(truth), truth.fps
            self._keys = truth.keys
            if not truth.is_plain or not self._knows(truth) or truth.is_mirrored():
                raise UnreadableVideoError(
                    path, f'{self.name} cannot be trusted with it ({truth.description}): set decoder=auto'
                )
            self._last = _last_frame(truth)
        try:
            self._reader = self._open()
        except ImportError:
            raise
        except Exception as error:  # decoders raise exception types of their own
            raise UnreadableVideoError(path, str(error).strip().split('\n')[0]) from error
        if self._count() != self._length:
            raise UnreadableVideoError(
                path, f'{self.name} sees {self._count()} frames, but there are {self._length}: set decoder=auto'
            )
        if not self._agrees():
            raise UnreadableVideoError(path, f'{self.name} gives other frames than asked for: set decoder=auto')

    def __len__(self) -> int:
        return self._length

    def read(self, numbers: Sequence[int]) -> list[Frame]:
        """Read frames by number.

        Raises:
            UnreadableVideoError: If they cannot be decoded.
        """
        try:
            return list(self._decode(list(numbers)))
        except Exception as error:
            raise UnreadableVideoError(self.path, str(error).strip().split('\n')[0]) from error

    def close(self) -> None:
        """Release the file."""
        self._reader = None

    def _knows(self, truth: GuardedVideoFile) -> bool:
        return True

    def _agrees(self) -> bool:
        return True

    def _content(self) -> Any:
        """Return what the decoder opens: a member of a shard as an open file, anything else by name."""
        member = find_member(self.path)
        return str(self.path) if member is None else member.open()

    def _open(self) -> Any:
        raise NotImplementedError

    def _count(self) -> int:
        return len(self._reader)

    def _decode(self, numbers: list[int]) -> Any:
        raise NotImplementedError


def _last_frame(video: GuardedVideoFile) -> Frame:
    try:
        return video.read([len(video) - 1])[0]
    except ChangedIndexError as error:
        raise UnreadableVideoError(video.path, 'it has other frames than it announces: set decoder=auto') from error


class DecordReader(_PlainFileReader):
    """A video file opened with decord."""

    name = 'decord'

    def _knows(self, truth: GuardedVideoFile) -> bool:
        return truth.codec in (_DECORD_CODECS if truth.is_reordered else _DECORD_CODECS_IN_ORDER)

    def _agrees(self) -> bool:
        """Return whether key frames are the same, and the last frame, which some streams lose at the end."""
        if [int(key) for key in self._reader.get_key_indices()] != list(self._keys):
            return False
        last = self.read([self._length - 1])[0]
        return last.shape == self._last.shape and float(np.abs(last.astype(int) - self._last).mean()) < 4

    def _open(self) -> Any:
        import decord

        return decord.VideoReader(self._content(), num_threads=1)

    def _decode(self, numbers: list[int]) -> Any:
        return self._reader.get_batch(numbers).asnumpy()


class TorchCodecReader(_PlainFileReader):
    """A video file opened with torchcodec, which requires the FFmpeg libraries of the system.

    Raises:
        ImportError: If they are missing.
    """

    name = 'torchcodec'

    def _open(self) -> Any:
        try:
            from torchcodec.decoders import VideoDecoder
        except RuntimeError as error:  # its shared libraries are loaded on import
            raise ImportError(f'torchcodec cannot find the FFmpeg libraries: install ffmpeg ({error})') from error

        return VideoDecoder(self._content(), dimension_order='NHWC', num_ffmpeg_threads=1)

    def _count(self) -> int:
        return int(self._reader.metadata.num_frames or 0)

    def _decode(self, numbers: list[int]) -> Any:
        return np.asarray(self._reader.get_frames_at(numbers).data)


def _auto(path: str | Path) -> VideoReader:
    if Path(path).suffix == ARRAY_SUFFIX:
        return FrameArray(path)
    return FolderReader(path) if Path(path).is_dir() else GuardedVideoFile(path)


_READERS: dict[VideoDecoder, Callable[[str | Path], VideoReader]] = {
    'auto': _auto,
    'pyav': GuardedVideoFile,
    'decord': DecordReader,
    'torchcodec': TorchCodecReader,
    'frames': FolderReader,
}
DECODERS = tuple(_READERS)


def open_video(path: str | Path, decoder: VideoDecoder = 'auto') -> VideoReader:
    """Open a video file, a member of a shard (:mod:`mmsigma.io.shards`) or an image folder.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If it cannot be read, or not be trusted to this decoder.
        ValueError: If the decoder is unknown.
    """
    if decoder not in _READERS:
        raise ValueError(f'unknown decoder {decoder!r}: choose one of {sorted(_READERS)}')
    return _READERS[decoder](path)
