"""First masks for :class:`mmsigma.apis.VideoSegmenter`, from boxes, polygons, or a picture with a colour per object."""

from collections.abc import Sequence

import cv2
import numpy as np

from mmsigma.io.mask_checks import VOID, check_ids

MAX_OBJECTS = VOID - 1


def draw_outlines(size: tuple[int, int], outlines: Sequence[Sequence[float]]) -> np.ndarray:
    """Draw objects 1, 2, ... without anti-aliasing; later ones cover earlier ones.

    Args:
        size: Height and width of the frame.
        outlines: Outline of each object in pixels: a box ``(left, top, right, bottom)``, whose last column and row do
            not belong to it, or the corners of a polygon ``(x, y, x, y, x, y, ...)``.

    Returns:
        Ids ``(H, W)``, uint8.

    Raises:
        ValueError: If there are no objects or too many, an outline is neither box nor polygon, lies outside of the
            frame, or is covered by others; the message names the object.
    """
    if not 1 <= len(outlines) <= MAX_OBJECTS:
        raise ValueError(f'there are {len(outlines)} objects: a mask has 1 to {MAX_OBJECTS}')
    height, width = size
    mask = np.zeros(size, np.uint8)
    for number, outline in enumerate(outlines, 1):
        corners = _corners(outline, number)
        if not np.isfinite(corners).all() or (corners < 0).any() or (corners > (width, height)).any():
            raise ValueError(
                f'object {number} with the corners {corners.tolist()} is not within the frame of {width} x {height} '
                'pixels'
            )
        mask[_inside(corners, size)] = number
    present = set(np.unique(mask).tolist())
    if hidden := [number for number in range(1, len(outlines) + 1) if number not in present]:
        raise ValueError(f'objects {hidden} have no pixels, or later ones cover them: change their outlines or order')
    return mask


def _corners(outline: Sequence[float], number: int) -> np.ndarray:
    """Return the corners of an outline, ``(N, 2)``, float64."""
    if len(outline) == 4:
        left, top, right, bottom = outline
        if not (left < right and top < bottom):
            raise ValueError(f'object {number}: a box is left, top, right, bottom, got {list(outline)}')
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
    if len(outline) < 6 or len(outline) % 2:
        raise ValueError(
            f'object {number} has {len(outline)} numbers: a box has 4, a polygon x and y of at least 3 corners'
        )
    return np.array(outline, np.float64).reshape(-1, 2)


def _inside(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centre is inside of a polygon, ``(H, W)``, bool, by the even-odd rule."""
    columns = np.arange(size[1]) + 0.5
    inside = np.zeros(size, bool)
    for one, other in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if one[1] == other[1]:
            continue
        low, high = (one, other) if one[1] < other[1] else (other, one)
        rows = np.arange(int(np.ceil(low[1] - 0.5)), int(np.ceil(high[1] - 0.5)))  # whose centres the edge passes
        crossings = low[0] + (rows + 0.5 - low[1]) * (high[0] - low[0]) / (high[1] - low[1])
        inside[rows] ^= columns >= crossings[:, None]
    return inside


def ids_from_colours(picture: np.ndarray, name: str) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """Number the colours of a picture as objects 1, 2, ..., in the order of their first pixel, row by row.

    Args:
        picture: RGB picture ``(H, W, 3)``, uint8, without anti-aliasing; black is background.
        name: Name of the picture for messages.

    Returns:
        Ids ``(H, W)``, uint8, and the colour of each object.

    Raises:
        ValueError: If the picture is all black, or has too many colours or shades along edges.
    """
    packed = picture.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    values, first, places = np.unique(packed, return_index=True, return_inverse=True)
    order = [0, *(value for value in values[np.argsort(first)].tolist() if value)]
    if len(order) == 1:
        raise ValueError(f'{name} has no object: all pixels are black, which is background')
    if len(order) > MAX_OBJECTS + 1:
        raise ValueError(
            f'{name} has {len(order) - 1:,} colours: each would be an object, of which a mask has up to {MAX_OBJECTS}. '
            'Draw without anti-aliasing, and save as PNG, since JPEG changes colours'
        )
    numbers = np.array([order.index(value) for value in values.tolist()], np.uint8)
    mask = numbers[places].reshape(packed.shape)
    colours = [(value >> 16, value >> 8 & 255, value & 255) for value in order]
    check_ids(mask, name, np.array(colours, np.uint8))
    return mask, colours[1:]


def boxes_of(mask: np.ndarray) -> dict[int, tuple[int, int, int, int]]:
    """Return the bounding box ``(left, top, right, bottom)`` of each object of a mask ``(H, W)``, by id."""
    boxes = {}
    for number in np.unique(mask[(mask > 0) & (mask < VOID)]).tolist():
        left, top, width, height = cv2.boundingRect((mask == number).astype(np.uint8))
        boxes[number] = (left, top, left + width, top + height)
    return boxes
