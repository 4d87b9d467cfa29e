"""Pictures of key points on their frames."""

import cv2
import numpy as np

from mmsigma.io.masks import davis_palette


def draw_points(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Draw each point as a disc with a white rim, in a colour of its own.

    Args:
        frame: RGB frame ``(H, W, 3)``, uint8.
        points: Points (x, y) in pixels from 0, ``(J, 2)``; negative ones are lost and not drawn.

    Returns:
        RGB picture ``(H, W, 3)``, uint8.
    """
    picture, palette = frame.copy(), davis_palette()
    radius = max(2, min(frame.shape[:2]) // 60)
    for number, (x, y) in enumerate(points, 1):
        if x >= 0 and y >= 0:
            place, colour = (round(float(x)), round(float(y))), tuple(map(int, palette[number % 255]))
            cv2.circle(picture, place, radius + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(picture, place, radius, colour, -1, cv2.LINE_AA)
    return picture
