"""Reading video files and image folders frame by frame, and writing video files."""

import re
from collections.abc import Container, Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path

import cv2
import decord
import numpy as np

from mmsigma.io.atomic import write_atomically

PICTURES = {'.jpg', '.jpeg', '.png'}  # suffixes of images


class FrameReader:
    """Frames of a video file or an image folder, one after the other; at most one frame is in memory.

    Args:
        path: Video file, or folder whose images are read in the order of :func:`list_pictures`.
        fps: Frame rate of a folder, and of a video that does not state one.

    Attributes:
        names: Name of every frame: the image's stem, or the frame number with five digits.
        fps: Frames per second.

    Raises:
        FileNotFoundError: If nothing exists at ``path``.
        ValueError: If it is not a video, has no frames, or has two images of the same stem.
    """

    def __init__(self, path: str | Path, fps: float = 24.0) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f'no video at {path}')
        self._video = None
        if self.path.is_dir():
            self._pictures = list_pictures(self.path)
            self.names, self.fps = [item.stem for item in self._pictures], fps
        else:
            try:
                self._video = decord.VideoReader(str(path), num_threads=1)
            except Exception as error:  # decord raises exception types of its own
                raise ValueError(f'{path} cannot be read as a video: {str(error).splitlines()[0]}') from error
            self.names = [f'{number:05d}' for number in range(len(self._video))]
            self.fps = float(self._video.get_avg_fps()) or fps
        if not self.names:
            raise ValueError(f'{path} has no frames')

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Iterate over the RGB frames, ``(H, W, 3)``, uint8."""
        return map(self.read, range(len(self)))

    def read(self, number: int) -> np.ndarray:
        """Read the RGB frame of a given number, ``(H, W, 3)``, uint8.

        Raises:
            ValueError: If it cannot be read.
        """
        if self._video is not None:
            try:
                frame: np.ndarray = self._video[number].asnumpy()
                return frame
            except Exception as error:
                raise ValueError(
                    f'frame {number} of {self.path} cannot be read: {str(error).splitlines()[0]}'
                ) from error
        return read_picture(self._pictures[number])


def list_pictures(folder: str | Path, stems: Container[str] | None = None) -> list[Path]:
    """List the images in a folder in natural order of their names, in which frame 2 precedes frame 10.

    Args:
        folder: Folder to list.
        stems: Names without suffix to which the list is restricted; None for all images.

    Returns:
        Paths of the images.

    Raises:
        ValueError: If two images differ only in their suffix, as they would be the same frame twice.
    """
    pictures = [path for path in Path(folder).iterdir() if path.suffix.lower() in PICTURES]
    pictures = [path for path in pictures if stems is None or path.stem in stems]
    pictures.sort(key=lambda path: (*natural_order(path.stem), path.name))
    for one, other in pairwise(pictures):
        if one.stem == other.stem:
            raise ValueError(f'{folder} has both {one.name} and {other.name}: keep one image per frame')
    return pictures


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key for names in which numbers are compared as numbers."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split('([0-9]+)', name))], name


def read_picture(path: str | Path) -> np.ndarray:
    """Read an RGB image, ``(H, W, 3)``, uint8.

    Raises:
        ValueError: If the file is not an image.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f'{path} cannot be read as an image')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


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
