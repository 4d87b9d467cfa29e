"""Pictures of the classes that a model finds in a video."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmsigma.visualization.labelled_grid import LINE, text_line
from mmsigma.visualization.masked_video import mosaic

_ROW, _NAME, _BAR = 24, 260, 300  # pixels
_COLOUR = (70, 130, 180)


def draw_scores(
    names: Sequence[str], scores: Sequence[float] | np.ndarray, frames: Sequence[np.ndarray] | np.ndarray = ()
) -> np.ndarray:
    """Draw a bar for each class, of which a score of 1 fills the width, below frames of the video.

    Args:
        names: Names of the classes.
        scores: Their scores, from 0 to 1.
        frames: RGB frames ``(H, W, 3)``, uint8, of one size; empty for bars alone.

    Returns:
        RGB picture ``(H', 620, 3)``, uint8, with 24 pixels for each class.
    """
    picture = np.full((_ROW * len(names), _NAME + _BAR + 60, 3), 255, np.uint8)
    for row, (name, score) in enumerate(zip(names, scores, strict=True)):
        top, end = row * _ROW, _NAME + round(_BAR * float(score))
        picture[top + 4 : top + _ROW - 4, _NAME:end] = _COLOUR
        for text, left, width in ((name, 0, _NAME - 6), (f'{score:.3f}', end + 3, 54)):
            picture[top + 3 : top + 3 + LINE, left : left + width] = text_line(text, width)
    if not len(frames):
        return picture
    strip = mosaic([list(frames)])
    height = round(len(strip) * picture.shape[1] / strip.shape[1])
    return np.concatenate([cv2.resize(strip, (picture.shape[1], height), interpolation=cv2.INTER_AREA), picture])
