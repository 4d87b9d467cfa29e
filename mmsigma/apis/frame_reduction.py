"""Reduction of large frames before they are segmented or shown."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt


def reduced_size(size: Sequence[int], short_side: int | None) -> tuple[int, int]:
    """Return the height and width to which a frame is reduced; smaller frames, and all without a limit, keep theirs.

    Args:
        size: Height and width of the frame.
        short_side: Its short side afterwards, at most; None for no limit.
    """
    height, width = size
    scale = min(1.0, (short_side or min(size)) / min(size))
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduce_frame(frame: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Reduce a frame ``(H, W, 3)`` to a height and width; each pixel is the mean of those that it covers."""
    if frame.shape[:2] == size:
        return frame
    return np.asarray(cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
