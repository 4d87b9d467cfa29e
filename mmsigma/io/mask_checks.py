"""Checks that the values of a mask are ids of objects, not shades or mixtures of colours."""

import cv2
import numpy as np

VOID = 255  # id of pixels that are not evaluated
_BLOCK = np.ones((3, 3), np.uint8)
_REMEDY = (
    'Save ids as a palette PNG, draw without anti-aliasing, and resize masks by nearest neighbour; to repair a mask of '
    'one object: mask = mask > mask.max() // 2'
)


def mask_ids(mask: np.ndarray) -> list[int]:
    """Return the ids in a mask ``(H, W)`` in increasing order; for uint8, much faster than the sort of numpy.unique."""
    ids: list[int] = (np.flatnonzero(count_pixels(mask)) if mask.dtype == np.uint8 else np.unique(mask)).tolist()
    return ids


def count_pixels(mask: np.ndarray) -> np.ndarray:
    """Count the pixels of every id in a mask.

    Runs of equal pixels are counted as one: a processor that adds to the same counter pixel by pixel waits for itself,
    and takes up to seven times longer.

    Args:
        mask: Mask of any shape, uint8.

    Returns:
        Number of pixels by id, ``(256,)``, int64.
    """
    if mask.ndim == 2 and mask.size:  # most of a mask is background, which needs no counting
        inside = occupied(mask)
        if inside.size < mask.size:
            counts = count_pixels(inside.ravel())
            counts[0] += mask.size - inside.size
            return counts
    flat = mask.ravel()
    changes = flat[1:] != flat[:-1]
    if 16 * np.count_nonzero(changes) > flat.size:  # there are hardly any runs
        histogram: np.ndarray = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256])
        return histogram.ravel().astype(np.int64)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))[: flat.size]
    lengths = np.diff(starts, append=flat.size)
    return np.bincount(flat[starts], lengths, minlength=256).astype(np.int64)


def occupied(mask: np.ndarray, margin: int = 0) -> np.ndarray:
    """Return the part of a mask ``(H, W)``, uint8, outside of which all is background, and a margin around it.

    A mask without objects has no such part; its first pixel stands for it, and the margin.
    """
    left, top, width, height = cv2.boundingRect(mask)
    rows = slice(max(top - margin, 0), top + max(height, 1) + margin)
    return mask[rows, max(left - margin, 0) : left + max(width, 1) + margin]


def check_ids(mask: np.ndarray, name: str, palette: np.ndarray | None = None) -> None:
    """Check that the values of a mask are ids.

    Refused are shades from anti-aliasing or resizing, also between several objects, mixtures from dithering, colours
    that were turned into a palette, and levels of grey of which the brightest, 255, is void.

    Args:
        mask: Mask ``(H, W)``, uint8.
        name: Name of the mask for messages.
        palette: Colours of the values, ``(N, 3)``, if the file has a palette.

    Raises:
        ValueError: If the values are not ids; the message says why.
    """
    mask = occupied(mask, margin=3)  # what else the checks look at is the same all over
    present = mask_ids(mask)
    blends = _blended_ids(mask, present)
    if not blends and _is_dithered(mask):
        raise ValueError(
            f'{name} is dithered: its pixels alternate between ids, as if a picture with colours had been converted to '
            'few colours or to black and white. Convert the original instead: tools/make_mask.py VIDEO --colours '
            'PICTURE --out MASK'
        )
    if len(present) > 64 and 2 * len(_filled(mask)) < len(present):
        found = f'has {len(present)} different values, most of them nowhere all over an object'
    elif palette is None and is_antialiased(mask, present):
        found = f'has {present[-1]} all over an object and other values, such as {present[-2]}, only along its edge'
    elif palette is not None and (shades := _palette_shades(mask, present, palette)):
        found = f'has colours such as that of id {shades[0]} only where two other colours meet, which they mix'
    elif blends:
        found = f'has {len(blends)} ids, such as {blends[0]} and {blends[1]}, only where a lower and a higher id meet'
    else:
        _check_background(present, name, palette)
        if palette is None:
            _check_greys(mask, present, name)
        return
    raise ValueError(
        f'{name} {found}: it looks anti-aliased or resized with interpolation, and every shade would be an object. '
        f'{_REMEDY}'
    )


def is_antialiased(mask: np.ndarray, present: list[int] | None = None) -> bool:
    """Return whether a mask consists of shades instead of ids: one value fills regions, all others only outline them.

    This is the case if only the largest value fills a block of 3 x 3 pixels, and if the other values cover at least a
    quarter of the edge of its regions.

    Args:
        mask: Mask ``(H, W)``, uint8.
        present: Result of :func:`mask_ids` for the mask, if known.
    """
    shades = [number for number in present or mask_ids(mask) if number]
    if len(shades) < 2:
        return False
    if _filled(mask) - {0} != {shades[-1]}:
        return False
    filled = (mask == shades[-1]).astype(np.uint8)
    edge: np.ndarray = mask[cv2.dilate(filled, _BLOCK) > filled]
    return bool(4 * np.count_nonzero(edge) >= edge.size)


def _filled(mask: np.ndarray) -> set[int]:
    """Return the values that fill a block of 3 x 3 pixels somewhere."""
    mask = np.ascontiguousarray(mask)
    constant = cv2.compare(cv2.erode(mask, _BLOCK), cv2.dilate(mask, _BLOCK), cv2.CMP_EQ).view(bool)
    return set(mask_ids(mask[constant]))


def _is_dithered(mask: np.ndarray) -> bool:
    """Return whether a quarter of an object, or of the background around it, are single pixels close to each other.

    Single are pixels without a neighbour of the same value above, below, left or right. An oblique line consists of
    them, too, but it has only five of them in 5 x 5 pixels.
    """
    # most masks have too few pixels that differ from both neighbours in their row
    other = np.ones((len(mask), mask.shape[1] + 1), bool)
    np.not_equal(mask[:, 1:], mask[:, :-1], out=other[:, 1:-1])
    if np.count_nonzero(other[:, 1:] & other[:, :-1]) < 16:
        return False
    framed = np.pad(mask, 1, mode='symmetric').astype(np.int16)
    framed[0], framed[-1], framed[:, 0], framed[:, -1] = -1, -1, -1, -1
    centre = framed[1:-1, 1:-1]
    single = np.ones(mask.shape, bool)
    for neighbour in (framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]):
        single &= neighbour != centre
    if np.count_nonzero(single) < 16:
        return False
    counts = cv2.boxFilter(single.astype(np.uint8), cv2.CV_16S, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
    dense = np.bincount(mask[single & (counts > 5)], minlength=256)
    dense[0] = 0
    return bool(((dense >= 16) & (4 * dense >= count_pixels(mask))).any())


def _palette_shades(mask: np.ndarray, present: list[int], palette: np.ndarray) -> list[int]:
    """Return ids that only lie along edges and whose colours are mixtures of the colours on both sides.

    They count only if they cover at least a quarter of the edges of the ids that fill regions.
    """
    if len(present) < 3:
        return []
    filled = sorted(_filled(mask))
    thin = [number for number in present if number not in filled and number < len(palette)]
    ends = [palette[number].astype(float) for number in filled if number < len(palette)]
    shades = [
        number
        for number in thin
        if any(_is_between(palette[number], ends[i], ends[j]) for i in range(len(ends)) for j in range(i))
    ]
    if not shades:
        return []
    solid = np.isin(mask, [number for number in filled if number]).astype(np.uint8)
    edge = mask[cv2.dilate(solid, _BLOCK) > solid]
    return shades if 4 * np.count_nonzero(np.isin(edge, shades)) >= max(edge.size, 1) else []


def _blended_ids(mask: np.ndarray, present: list[int]) -> list[int]:
    """Return ids that interpolation has made: each of their pixels has a lower and a higher id among its neighbours.

    A single one, or fewer than 16 pixels in all, may be a thin object between two others; none is returned then.
    """
    if len(present) < 4:
        return []
    mask = np.ascontiguousarray(mask)
    has_lower = cv2.compare(cv2.erode(mask, _BLOCK), mask, cv2.CMP_LT)
    between = cv2.bitwise_and(has_lower, cv2.compare(mask, cv2.dilate(mask, _BLOCK), cv2.CMP_LT))
    if not cv2.countNonZero(between):
        return []
    counts = count_pixels(mask[between.view(bool)])
    blends: list[int] = np.flatnonzero((counts > 0) & (counts == count_pixels(mask))).tolist()
    return blends if len(blends) > 1 and counts[blends].sum() >= 16 else []


def _is_between(colour: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether a colour lies on the line between two others, not close to either, give or take rounding."""
    step, offset = other - one, colour.astype(float) - one
    length = float(step @ step)
    share = float(offset @ step) / length if length else 0.0
    return 0.02 < share < 0.98 and bool(np.abs(offset - share * step).max() <= 8)


def _check_background(present: list[int], name: str, palette: np.ndarray | None) -> None:
    """Check that black, the background of a picture with colours, is not the colour of an object instead of id 0."""
    if palette is None or 0 not in present or not palette[0].any():
        return
    black = [number for number in present if number and number < len(palette) and not palette[number].any()]
    if black:
        raise ValueError(
            f'{name}: its palette has black for id {black[0]} and {tuple(palette[0].tolist())} for id 0, which is '
            'background: it looks converted from colours, which numbers them anew. Assign the ids yourself, 0 to the '
            'background, and save them as a palette PNG'
        )


def _check_greys(mask: np.ndarray, present: list[int], name: str) -> None:
    """Check that 255 is not the brightest of several levels of grey, since no object can have this id."""
    levels = [number for number in present if number]
    if len(levels) > 1 and levels[-1] == VOID and levels[0] >= 32 and VOID in _filled(mask):
        ids = ', '.join(map(str, range(1, len(levels) + 1)))
        raise ValueError(
            f'{name} has the values {levels}, which look like levels of grey, but 255 is void, the id of no object: '
            f'save the ids {ids} instead, for instance as a palette PNG'
        )
