"""Overlays of masks on their frames."""

import cv2
import numpy as np

from mmsigma.io.masks import VOID, davis_palette


def draw_masks(
    frame: np.ndarray, mask: np.ndarray, opacity: float = 0.5, palette: np.ndarray | None = None
) -> np.ndarray:
    """Tint each object in a colour of its own and outline it.

    Args:
        frame: RGB frame ``(H, W, 3)``, uint8.
        mask: Ids ``(H, W)``, uint8; 0 and 255 are not drawn.
        opacity: Opacity of the tint.
        palette: Colours of the ids, ``(256, 3)``, uint8; None for those of DAVIS.

    Returns:
        RGB image ``(H, W, 3)``, uint8.

    Raises:
        ValueError: If frame and mask differ in size.
    """
    if frame.shape[:2] != mask.shape:
        raise ValueError(f'the mask has the size {mask.shape}, but the frame has {frame.shape[:2]}')
    palette = davis_palette() if palette is None else palette
    objects = (mask != 0) & (mask != VOID)
    tinted = cv2.addWeighted(frame, 1 - opacity, palette[mask], opacity, 0)
    result = np.where(objects[..., None], tinted, frame)
    edges = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    result[edges & objects] = 255
    return result
