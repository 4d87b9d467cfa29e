"""Writing video files."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mmsigma.utils.checkpoint import write_atomically


def write_mp4(path: str | Path, frames: Sequence[np.ndarray] | np.ndarray, fps: float) -> None:
    """Write RGB frames, uint8 (T, H, W, 3), as MPEG-4.

    Raises:
        OSError: If not all frames could be written; ``path`` is then as it was before.
    """

    def write(name: str) -> None:
        height, width = frames[0].shape[:2]
        writer = cv2.VideoWriter(name, cv2.VideoWriter.fourcc(*'mp4v'), fps, (width, height))
        try:
            if not writer.isOpened():
                raise OSError(f'OpenCV cannot write {path}: not writable, or a build without an mp4v encoder')
            for frame in frames:
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        finally:
            writer.release()
        written = cv2.VideoCapture(name)
        count = int(written.get(cv2.CAP_PROP_FRAME_COUNT))
        written.release()
        if count != len(frames):
            raise OSError(f'{path}: {count} of {len(frames)} frames were written; is the disk full?')

    write_atomically(path, write)
