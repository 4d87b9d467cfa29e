"""Masks of objects as images: palette PNGs in, palette PNGs out, everything that is no mask refused."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from mmsigma.utils.checkpoint import write_atomically

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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no mask at {path}')
    mask = np.load(path, allow_pickle=False) if path.suffix == '.npy' else _read_png(path)
    if mask.ndim != 2 or mask.dtype.kind not in 'biu' or mask.size and (mask.min() < 0 or mask.max() > 255):
        raise ValueError(f'{path} holds {mask.dtype} {mask.shape}: a mask has ids from 0 to 255 of the shape (H, W)')
    mask = mask.astype(np.uint8)
    if binary:
        return (mask > 0).astype(np.uint8)
    if path.suffix != '.npy' and (number := len(mask_ids(mask))) > 64:
        raise ValueError(
            f'{path} has {number} different values: it looks anti-aliased or resized with interpolation. '
            'Save ids as a palette PNG, and resize masks by nearest neighbour'
        )
    return mask


def _read_png(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if image.format != 'PNG':
                raise ValueError(f'{path} is a {image.format} file, which does not keep ids exactly: use PNG')
            if image.mode not in ('P', 'L', '1'):
                raise ValueError(
                    f'{path} has the mode {image.mode}: its pixels are colours. Save it with a palette, so that every '
                    'pixel is the id of its object (0 is background)'
                )
            return np.asarray(image)
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
