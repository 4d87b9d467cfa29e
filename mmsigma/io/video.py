"""Reading video files and image folders frame by frame, and writing video files."""

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from mmsigma.io.atomic import write_atomically
from mmsigma.io.decoder_process import GuardedVideoFile
from mmsigma.io.decoders import VideoDecoder, open_video
from mmsigma.io.pictures import list_frames, read_picture
from mmsigma.io.shards import exists
from mmsigma.io.sound import Sound
from mmsigma.io.video_file import ChangedIndexError, UnreadableVideoError


def read_frames(
    path: str | Path, indices: Sequence[int] | None = None, decoder: VideoDecoder = 'auto'
) -> npt.NDArray[np.uint8]:
    """Read frames of a video file or an image folder, as a player shows them.

    Frame i is the i-th picture that decoding from start to end gives: in presentation order, without those that an edit
    list cuts off, upright. A frame that cannot be decoded is an error, never replaced by its neighbour.

    Args:
        path: Video file, or folder of images.
        indices: Frame numbers from 0, in any order and with repetitions; None for all frames.
        decoder: ``'auto'``, or the decoder to use, see :mod:`mmsigma.io.decoders`.

    Returns:
        RGB frames ``(T, H, W, 3)``.

    Raises:
        UnreadableVideoError: If the video cannot be read.
        IndexError: If a number is out of range.
    """
    reader = open_video(path, decoder)
    try:
        numbers = range(len(reader)) if indices is None else indices
        try:
            frames = reader.read(list(numbers))
        except ChangedIndexError:  # the file has other frames than its packets announce
            frames = reader.read(list(range(len(reader)) if indices is None else indices))
    finally:
        reader.close()
    return np.stack(frames) if frames else np.zeros((0, 0, 0, 3), np.uint8)


def frame_times(path: str | Path) -> npt.NDArray[np.float64]:
    """Return the time of every frame of a video file, in seconds after the first one, ``(T,)``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as a video.
    """
    with GuardedVideoFile(path) as video:
        return video.times()


class FrameReader:
    """Frames of a video file or an image folder, one after the other; few frames are in memory.

    Args:
        path: Video file, or folder whose images are read in the order of :func:`mmsigma.io.pictures.list_frames`.
        fps: Frame rate of a folder, and of a video that does not state one.

    Attributes:
        name: Name of the file without suffix, or of the folder.
        names: Name of every frame: the image's stem, or the frame number with five digits.
        fps: Frames per second.

    Raises:
        FileNotFoundError: If nothing exists at ``path``.
        ValueError: If it is not a video, has no frames, or is a folder of other images than the frames of one video.
    """

    def __init__(self, path: str | Path, fps: float = 24.0) -> None:
        self.path = Path(path)
        if not exists(self.path):
            raise FileNotFoundError(f'no video at {path}')
        self.name = self.path.resolve().name if self.path.is_dir() else self.path.stem
        self._video: GuardedVideoFile | None = None
        if self.path.is_dir():
            self._pictures = list_frames(self.path)
            self.names, self.fps = [item.stem for item in self._pictures], fps
        else:
            self._video = GuardedVideoFile(path)
            self.names = [f'{number:05d}' for number in range(len(self._video))]
            self.fps = self._video.fps or fps
        if not self.names:
            remedy = ', that is, images; of a folder of videos, give the files' * self.path.is_dir()
            raise UnreadableVideoError(path, f'it has no frames{remedy}')
        self._stream: Iterator[npt.NDArray[np.uint8]] = iter(())
        self._next = 0
        self._times: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        """Iterate over the RGB frames, ``(H, W, 3)``, uint8."""
        return map(self.read, range(len(self)))

    def times(self) -> npt.NDArray[np.float64]:
        """Return the time of every frame, in seconds after the first one, ``(T,)``."""
        if self._times is None:
            self._times = np.arange(len(self)) / self.fps if self._video is None else self._video.times()
        return self._times

    def read(self, number: int) -> npt.NDArray[np.uint8]:
        """Read the RGB frame of a given number, ``(H, W, 3)``, uint8; fastest for one number after the other.

        Raises:
            IndexError: If the number is out of range.
            ValueError: If it cannot be read.
        """
        if not 0 <= number < len(self):
            raise IndexError(f'{self.path} has frames 0 to {len(self) - 1}, but {number} is asked for')
        if self._video is None:
            return read_picture(self._pictures[number])
        if number == 0:
            self._stream, self._next = iter(self._video), 0
        if number == self._next:
            self._next += 1
            for frame in self._stream:
                return frame
            self._next = -1
            raise UnreadableVideoError(
                self.path, f'it announces {len(self)} frames, but ends after {number}: re-encode it'
            )
        try:
            return self._video.read([number])[0]
        except ChangedIndexError:
            raise UnreadableVideoError(
                self.path, f'it announces {len(self)} frames, but has {len(self._video)}: re-encode it'
            ) from None


def write_mp4(path: str | Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Write frames as MPEG-4; they are consumed one after the other.

    Args:
        path: File to write.
        frames: RGB frames, ``(H, W, 3)`` each, uint8.
        fps: Frames per second.

    Raises:
        ValueError: If there is no frame, or frames differ in size.
        OSError: If not all frames could be written; ``path`` is then left unchanged.
    """

    def write(name: str) -> None:
        rest = iter(frames)
        first = next(rest, None)
        if first is None:
            raise ValueError(f'there is no frame to write to {path}')
        size, count = first.shape, 0
        writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*'mp4v'), fps, size[1::-1])
        try:
            if not writer.isOpened():
                raise OSError(
                    f'OpenCV cannot write {path}: the folder is not writable, or this build lacks an mp4v encoder'
                )
            for count, frame in enumerate(chain([first], rest), start=1):
                if frame.shape != size:  # the writer would silently skip it
                    raise ValueError(
                        f'frame {count - 1} of {path} is {frame.shape}, but earlier frames are {size}: write frames of '
                        'equal size'
                    )
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        finally:
            writer.release()
        written = cv2.VideoCapture(name)
        found = int(written.get(cv2.CAP_PROP_FRAME_COUNT))
        written.release()
        if found != count:
            raise OSError(f'{path}: {found} of {count} frames were written; is the disk full?')

    write_atomically(path, write)


def write_playable(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    *,
    height: int | None = None,
    sound: str | Path | None = None,
    encoder: dict[str, str] | None = None,
) -> None:
    """Write frames as H.264, which browsers, notebooks and chats play from the first byte on.

    Colours are stored at half resolution, as players expect. Odd sides get another row or column of the last pixels.

    Args:
        path: File to write, whose name ends in ``.mp4``; its folder is created if necessary.
        frames: RGB frames, ``(H, W, 3)`` each, uint8; they are consumed one after the other.
        fps: Frames per second.
        height: Height of the video in pixels, to which frames are resized; None for their own.
        sound: Video with the same times whose sound is kept, if it has any; None for none.
        encoder: Options of libx264 besides its quality ``crf``, 20, and its ``preset``, ``veryfast``.

    Raises:
        ValueError: If the name has another ending, there is no frame, frames differ in size, frame rate or height are
            not positive, or the sound cannot be decoded.
        OSError: If it cannot be written; ``path`` is then left unchanged.
    """
    if Path(path).suffix.lower() != '.mp4':
        raise ValueError(f'{path} must end in .mp4, which is what is written')
    if not 0 < fps < math.inf or (height is not None and height < 1):
        raise ValueError(f'{path}: frame rate and height must be positive, got {fps:g} and {height}')
    options = {'crf': '20', 'preset': 'veryfast', **(encoder or {})}

    def write(name: str) -> None:
        count, size, track = 0, None, None
        with av.open(name, 'w', format='mp4', options={'movflags': '+faststart'}) as file:
            rate = Fraction(fps).limit_denominator(65535)
            stream = file.add_stream('libx264', rate=rate, options=options)
            for count, frame in enumerate(frames, start=1):
                if size is None:
                    size = frame.shape
                    scale = (height or size[0]) / size[0]
                    sides = [round(side * scale) for side in size[:2]]
                    stream.height, stream.width = (side + side % 2 for side in sides)
                    stream.pix_fmt = 'yuv420p'
                    track = Sound(sound, file) if sound is not None else None
                elif frame.shape != size:
                    raise ValueError(
                        f'frame {count - 1} of {path} is {frame.shape}, but earlier frames are {size}: write frames of '
                        'equal size'
                    )
                if height:
                    frame = cv2.resize(frame, sides[::-1], interpolation=cv2.INTER_AREA)
                padding = ((0, stream.height - frame.shape[0]), (0, stream.width - frame.shape[1]), (0, 0))
                picture = av.VideoFrame.from_ndarray(np.pad(frame, padding, mode='edge'), format='rgb24')
                file.mux(stream.encode(picture))
                if track is not None:
                    file.mux([*track.until(count / fps)])
            if not count:
                raise ValueError(f'there is no frame to write to {path}')
            file.mux(stream.encode())

    write_atomically(path, write)
