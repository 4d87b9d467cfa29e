"""Object masks as images: reading and writing palette PNGs, and rejecting images that are not masks."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmsigma.io.atomic import write_atomically

VOID = 255  # id of pixels that are not evaluated


def davis_palette() -> np.ndarray:
    """Return the colours of the 256 ids in annotations of PASCAL VOC and DAVIS, ``(256, 3)``, uint8.

    Each group of three bits of the id, from the lowest, contributes the next lower bit of red, green and blue.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder='little')
    bits = np.pad(bits, ((0, 0), (0, 1))).reshape(256, 3, 3)
    return np.packbits(bits.transpose(0, 2, 1), axis=-1)[..., 0]


def mask_ids(mask: np.ndarray) -> list[int]:
    """Return the ids in a mask ``(H, W)`` in increasing order; for uint8, much faster than the sort of numpy.unique."""
    if mask.dtype != np.uint8:
        ids: list[int] = np.unique(mask).tolist()
        return ids
    counts = cv2.calcHist([np.ascontiguousarray(mask)], [0], None, [256], [0, 256])
    present: list[int] = np.flatnonzero(counts).tolist()
    return present


def read_mask(path: str | Path, *, binary: bool = False) -> np.ndarray:
    """Read the object ids of a frame.

    Palette and single-channel PNGs and ``.npy`` files store the ids themselves.

    Args:
        path: Mask file.
        binary: Whether every non-zero value is object 1, as in DAVIS-2016, whose 255 would otherwise be void.

    Returns:
        Ids ``(H, W)``, uint8; 255 is void.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a mask: another format or mode, colours instead of ids, or anti-aliased edges.
    """
    values, has_palette = read_stored(path)
    if binary:
        return (values > 0).astype(np.uint8)
    return ids_of(values, str(path), has_palette=has_palette)


def read_stored(path: str | Path) -> tuple[np.ndarray, bool]:
    """Read the values of a mask file as they are stored.

    Args:
        path: Mask file.

    Returns:
        Values ``(H, W)``, bool if the file stores single bits, and whether the file has a palette.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another format or mode.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no mask at {path}')
    values, has_palette = (np.load(path, allow_pickle=False), False) if path.suffix == '.npy' else _read_png(path)
    _check_values(values, str(path))
    return values, has_palette


def ids_of(values: np.ndarray, name: str, *, has_palette: bool = False) -> np.ndarray:
    """Convert the values of a mask to ids after checking that they are ids.

    Args:
        values: Integer or bool values ``(H, W)``.
        name: Name of the mask for messages.
        has_palette: Whether the file has a palette, which proves that the values are ids; then only their number is
            checked.

    Returns:
        Ids ``(H, W)``, uint8.

    Raises:
        ValueError: If the values are not ids: another type, shape or range, or anti-aliased.
    """
    _check_values(values, name)
    mask = values.astype(np.uint8)
    present = mask_ids(mask)
    if len(present) > 64:
        found = f'has {len(present)} different values'
    elif not has_palette and is_antialiased(mask, present):
        found = f'has {present[-1]} all over an object and other values, such as {present[-2]}, only along its edge'
    else:
        return mask
    raise ValueError(
        f'{name} {found}: it looks anti-aliased or resized with interpolation, and every shade would be an object. '
        'Save ids as a palette PNG, draw without anti-aliasing, and resize masks by nearest neighbour; to repair a '
        'mask of one object: mask = mask > mask.max() // 2'
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
    block = np.ones((3, 3), np.uint8)
    mask = np.ascontiguousarray(mask)
    constant = cv2.erode(mask, block) == cv2.dilate(mask, block)
    if set(mask_ids(mask * constant)) - {0} != {shades[-1]}:
        return False
    filled = (mask == shades[-1]).astype(np.uint8)
    edge: np.ndarray = mask[cv2.dilate(filled, block) > filled]
    return bool(4 * np.count_nonzero(edge) >= edge.size)


def _check_values(values: np.ndarray, name: str) -> None:
    if values.ndim != 2 or values.dtype.kind not in 'biu' or values.size and (values.min() < 0 or values.max() > 255):
        raise ValueError(
            f'{name} contains {values.dtype} {values.shape}: a mask has the shape (H, W) and ids from 0 to 255'
        )


def _read_png(path: Path) -> tuple[np.ndarray, bool]:
    try:
        with Image.open(path) as image:
            if image.format != 'PNG':
                raise ValueError(f'{path} is a {image.format} file, which may not preserve ids exactly: use PNG')
            if image.mode not in ('P', 'L', '1'):
                raise ValueError(
                    f'{path} has the mode {image.mode}: its pixels are colours. Save it with a palette, so that every '
                    'pixel is the id of its object (0 is background)'
                )
            return np.asarray(image), image.mode == 'P'
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f'{path} cannot be read as a mask: {error}') from error


def write_mask(path: str | Path, mask: np.ndarray, palette: np.ndarray | None = None) -> None:
    """Write ids as a palette PNG, atomically.

    Args:
        path: File to write, with the suffix ``.png``.
        mask: Ids from 0 to 255, ``(H, W)``.
        palette: Colours ``(256, 3)``, uint8; None for those of DAVIS.

    Raises:
        ValueError: If the mask has another shape or range.
    """
    if mask.ndim != 2 or mask.size and (mask.min() < 0 or mask.max() > 255):
        raise ValueError(f'a mask has the shape (H, W) and ids from 0 to 255, got {mask.dtype} {mask.shape}')
    image = Image.fromarray(mask.astype(np.uint8))
    image.putpalette((davis_palette() if palette is None else palette).tobytes())
    write_atomically(path, lambda name: image.save(name, format='PNG'))


def category_ids(instances: np.ndarray, instance_ids: Sequence[int], categories: Sequence[int]) -> np.ndarray:
    """Replace instance ids by category ids (YouTube-VOS); ids that are not listed become 0.

    All ids are replaced at once. Relabelling in place, one id after the other, would merge an instance with another
    whose id it has just received.

    Args:
        instances: Instance ids ``(H, W)`` or of any other shape.
        instance_ids: Ids to replace.
        categories: Category id of each of them.

    Returns:
        Category ids of the shape and type of ``instances``.
    """
    table = np.zeros(int(max(instances.max(initial=0), *instance_ids, 0)) + 1, instances.dtype)
    table[list(instance_ids)] = list(categories)
    replaced: np.ndarray = table[instances]
    return replaced
