"""Pictures that tell their number, also after lossy coding."""

import numpy as np

ROWS, COLUMNS = 2, 4
SMALL = 16  # below this length of a side, a picture is of a single grey


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    """Draw a number from 0 to 63 as eight dark or bright blocks: six bits, and two that check them.

    Pictures with a side of less than 16 pixels are of a grey that tells the number, for numbers below 24.
    """
    height, width = size
    if min(size) < SMALL:
        return np.full((height, width, 3), 10 + 10 * number, np.uint8)
    bits = np.unpackbits(np.array([_code(number)], np.uint8)).reshape(ROWS, COLUMNS)
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    grey = np.where(bits[rows][:, columns], 200, 40)
    slope = np.linspace(0, 30, width).astype(int)[None, :]
    return np.repeat((grey + slope)[..., None], 3, axis=-1).astype(np.uint8)


def number_of(picture: np.ndarray) -> int | None:
    """Read the number that a picture shows; None if it is illegible."""
    height, width = picture.shape[:2]
    grey = picture.astype(np.float64).mean(axis=-1)
    if min(height, width) < SMALL:
        return round((float(grey.mean()) - 10) / 10)
    bits = []
    for row in range(ROWS):
        for column in range(COLUMNS):
            block = grey[_inner(row, ROWS, height), _inner(column, COLUMNS, width)]
            if not 0 <= (level := float(block.mean())) < 95 and level < 160:
                return None
            bits.append(level > 127)
    code = int(np.packbits(bits)[0])
    return code >> 2 if code == _code(code >> 2) else None


def _inner(place: int, count: int, length: int) -> slice:
    start, stop = place * length // count, (place + 1) * length // count
    margin = max((stop - start) // 4, 1) if stop - start > 3 else 0
    return slice(start + margin, stop - margin)


def _code(number: int) -> int:
    return number << 2 | ((number ^ number >> 2 ^ number >> 4) & 3)
