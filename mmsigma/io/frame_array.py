"""Decoded frames of a video in a file of numpy, which is read at random without decoding anything.

They take much more room than the video (66 kB a frame at 128 x 172), and less time: a clip of eight frames is there in
a millisecond. ``tools/cache_frames.py`` writes them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmsigma.io.atomic import write_atomically
from mmsigma.io.video_container import UnreadableVideoError

ARRAY_SUFFIX = '.npy'


class FrameArray:
    """Frames ``(T, H, W, 3)``, uint8, in a file of numpy, opened for reading by number.

    Attributes:
        frames: The frames, which are read when they are used.
        fps: 0, as the frame rate is not known.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableVideoError: If it is not a file of numpy, or contains something else.
    """

    fps = 0.0

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            frames: npt.NDArray[np.uint8] = np.load(path, mmap_mode='r', allow_pickle=False)
        except NotADirectoryError as error:
            raise UnreadableVideoError(path, 'decoded frames are not read from shards: unpack it') from error
        except (ValueError, EOFError) as error:
            raise UnreadableVideoError(path, f'it is not a file of numpy, or not all of it: {error}') from error
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or not frames.size:
            raise UnreadableVideoError(
                path, f'frames are (T, H, W, 3), uint8, but it contains {frames.shape}, {frames.dtype}'
            )
        self.frames = frames

    def __len__(self) -> int:
        return len(self.frames)

    def read(self, numbers: Sequence[int]) -> list[npt.NDArray[np.uint8]]:
        """Read frames by number, in any order and with repetitions: RGB ``(H, W, 3)``.

        Raises:
            IndexError: If a number is out of range.
        """
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(self):
            raise IndexError(
                f'{self.path} has frames 0 to {len(self) - 1}, but {min(numbers)} to {max(numbers)} are asked for'
            )
        return [np.array(self.frames[number]) for number in numbers]

    def close(self) -> None:
        """Release the file."""
        del self.frames


def write_frame_array(path: str | Path, frames: Iterable[npt.NDArray[Any]], count: int) -> None:
    """Write frames, or maps of them, as a file of numpy; they are consumed one after the other.

    Args:
        path: File to write, with the suffix ``.npy``.
        frames: RGB frames, ``(H, W, 3)`` each, uint8, of equal size; or maps of equal size and type.
        count: Number of frames.

    Raises:
        ValueError: If there are more or fewer frames, or none; ``path`` is then left unchanged.
    """
    if Path(path).suffix != ARRAY_SUFFIX:
        raise ValueError(f'{path} must end in {ARRAY_SUFFIX}')

    def write(name: str) -> None:
        array, number = None, 0
        for number, frame in enumerate(frames, start=1):
            if array is None:
                array = np.lib.format.open_memmap(name, 'w+', frame.dtype, (count, *frame.shape))
            if number > count:
                break
            array[number - 1] = frame
        if array is None or number != count:
            raise ValueError(f'{path}: there are {"more" if number > count else number} frames, expected were {count}')
        array.flush()

    write_atomically(path, write)
