"""Masks of objects as images: palette PNGs in, palette PNGs out, everything that is no mask refused."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmsigma.io.atomic import write_atomically

VOID = 255


def davis_palette() -> np.ndarray:
    """Colours of the 256 ids in annotations of PASCAL VOC and DAVIS, (256, 3) uint8.

    Each group of three bits of the id, from low to high, gives red, green and blue their next lower bit.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder='little')
    bits = np.pad(bits, ((0, 0), (0, 1))).reshape(256, 3, 3)
    return np.packbits(bits.transpose(0, 2, 1), axis=-1)[..., 0]


def mask_ids(mask: np.ndarray) -> list[int]:
    """The ids in a mask (H, W), rising; for uint8 many times faster than ``numpy.unique``, which sorts."""
    if mask.dtype != np.uint8:
        return np.unique(mask).tolist()
    counts = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256])
    return np.flatnonzero(counts).tolist()


def read_mask(path: str | Path, *, binary: bool = False) -> np.ndarray:
    """Read the object ids of a frame, uint8 (H, W); 255 is void.

    Palette and single-channel PNGs and ``.npy`` files hold ids as they are.

    Args:
        path: The mask.
        binary: What is not 0 is object 1 (DAVIS-2016, whose 255 would otherwise be void).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no mask: of another format or mode, with colours instead of ids, or anti-aliased.
    """
    values, has_palette = read_stored(path)
    if binary:
        return (values > 0).astype(np.uint8)
    return ids_of(values, str(path), has_palette=has_palette)


def read_stored(path: str | Path) -> tuple[np.ndarray, bool]:
    """The values (H, W) of a mask as its file has them, bool where each is one bit, and whether there is a palette.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is of another format or mode.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no mask at {path}')
    values, has_palette = (np.load(path, allow_pickle=False), False) if path.suffix == '.npy' else _read_png(path)
    _check_values(values, str(path))
    return values, has_palette


def ids_of(values: np.ndarray, name: str, *, has_palette: bool = False) -> np.ndarray:
    """The values of a mask as ids, uint8 (H, W).

    Args:
        values: Integers or bools (H, W).
        name: Of the mask, for messages.
        has_palette: They were drawn as ids: only their number can be wrong.

    Raises:
        ValueError: If they are no ids: of another type, shape or range, or anti-aliased.
    """
    _check_values(values, name)
    mask = values.astype(np.uint8)
    present = mask_ids(mask)
    if len(present) > 64:
        found = f'has {len(present)} different values'
    elif not has_palette and is_antialiased(mask, present):
        found = f'has {present[-1]} all over an object and other values, {present[-2]} for one, only along its edge'
    else:
        return mask
    raise ValueError(
        f'{name} {found}: it looks anti-aliased or resized with interpolation, and every shade would be an object. '
        'Save ids as a palette PNG, draw without anti-aliasing, and resize masks by nearest neighbour; to repair a '
        'mask of one object: mask = mask > mask.max() // 2'
    )


def is_antialiased(mask: np.ndarray, present: list[int] | None = None) -> bool:
    """Whether shades, not ids, make up a mask: one value fills regions, and the others are no more than their rims.

    No other value than the largest one has a block of 3 x 3 pixels, and the others lie along a quarter of the edge of
    its regions or more.

    Args:
        mask: uint8 (H, W).
        present: Its :func:`mask_ids`, where they are known.
    """
    shades = [number for number in present or mask_ids(mask) if number]
    if len(shades) < 2:
        return False
    block = np.ones((3, 3), np.uint8)
    mask = np.ascontiguousarray(mask)
    constant = cv2.erode(mask, block) == cv2.dilate(mask, block)
    if set(mask_ids(mask * constant)) - {0} != {shades[-1]}:
        return False
    filled = (mask == shades[-1]).astype(np.uint8)
    edge = mask[cv2.dilate(filled, block) > filled]
    return 4 * np.count_nonzero(edge) >= edge.size


def _check_values(values: np.ndarray, name: str) -> None:
    if values.ndim != 2 or values.dtype.kind not in 'biu' or values.size and (values.min() < 0 or values.max() > 255):
        raise ValueError(
            f'{name} holds {values.dtype} {values.shape}: a mask has ids from 0 to 255 of the shape (H, W)'
        )


def _read_png(path: Path) -> tuple[np.ndarray, bool]:
    try:
        with Image.open(path) as image:
            if image.format != 'PNG':
                raise ValueError(f'{path} is a {image.format} file, which does not keep ids exactly: use PNG')
            if image.mode not in ('P', 'L', '1'):
                raise ValueError(
                    f'{path} has the mode {image.mode}: its pixels are colours. Save it with a palette, so that every '
                    'pixel is the id of its object (0 is background)'
                )
            return np.asarray(image), image.mode == 'P'
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f'{path} cannot be read as a mask: {error}') from error


def write_mask(path: str | Path, mask: np.ndarray, palette: np.ndarray | None = None) -> None:
    """Write ids (H, W) as a palette PNG, atomically.

    Args:
        path: A ``.png`` file.
        mask: Ids from 0 to 255.
        palette: Colours (256, 3), uint8; DAVIS's by default.

    Raises:
        ValueError: If the mask is not of that kind.
    """
    if mask.ndim != 2 or mask.size and (mask.min() < 0 or mask.max() > 255):
        raise ValueError(f'a mask has ids from 0 to 255 of the shape (H, W), got {mask.dtype} {mask.shape}')
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette((davis_palette() if palette is None else palette).tobytes())
    write_atomically(path, lambda name: image.save(name, format='PNG'))


def category_ids(instances: np.ndarray, instance_ids: Sequence[int], categories: Sequence[int]) -> np.ndarray:
    """Replace instance ids by category ids, all at once (YouTube-VOS); ids that are not listed become 0.

    Relabelling in place, one id after the other, would merge an instance with one whose id it was just given.
    """
    table = np.zeros(int(max(instances.max(initial=0), *instance_ids, 0)) + 1, instances.dtype)
    table[list(instance_ids)] = list(categories)
    return table[instances]
