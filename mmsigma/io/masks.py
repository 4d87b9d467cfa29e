"""Object masks as images: reading and writing palette PNGs, and rejecting images that are not masks."""

import zlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmsigma.io.atomic import write_atomically
from mmsigma.io.mask_checks import VOID, check_ids, mask_ids

_PNG = b'\x89PNG\r\n\x1a\n'  # beginning of a file

__all__ = [
    'VOID',
    'StoredMask',
    'category_ids',
    'davis_palette',
    'ids_of',
    'mask_ids',
    'read_mask',
    'read_stored',
    'write_mask',
]


def davis_palette() -> np.ndarray:
    """Return the colours of the 256 ids in annotations of PASCAL VOC and DAVIS, ``(256, 3)``, uint8.

    Each group of three bits of the id, from the lowest, contributes the next lower bit of red, green and blue.
    """
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder='little')
    bits = np.pad(bits, ((0, 0), (0, 1))).reshape(256, 3, 3)
    return np.packbits(bits.transpose(0, 2, 1), axis=-1)[..., 0]


def read_mask(path: str | Path, *, binary: bool = False) -> np.ndarray:
    """Read the object ids of a frame.

    Palette and single-channel PNGs of 8 or 16 bits and ``.npy`` files store the ids themselves, as do RGB PNGs whose
    channels are equal.

    Args:
        path: Mask file.
        binary: Whether every non-zero value is object 1, as in DAVIS-2016, whose 255 would otherwise be void.

    Returns:
        Ids ``(H, W)``, uint8; 255 is void.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a mask: another format or mode, colours or levels of grey instead of ids, anti-aliased
            edges, or dithering.
    """
    stored = read_stored(path)
    if binary:
        return (stored.values > 0).astype(np.uint8)
    return ids_of(stored.values, str(path), stored.palette)


class StoredMask(NamedTuple):
    """Content of a mask file.

    Attributes:
        values: Values ``(H, W)`` as stored, bool if the file stores single bits.
        palette: Colours of the values, ``(N, 3)``, uint8; None if the file has no palette.
    """

    values: np.ndarray
    palette: np.ndarray | None


def read_stored(path: str | Path) -> StoredMask:
    """Read the values of a mask file as they are stored; black and white in 16 bits or RGB becomes 0 and 255.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another format or mode, or values that are no ids.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'no mask at {path}')
    stored = StoredMask(_load_array(path), None) if path.suffix == '.npy' else _read_png(path)
    _check_values(stored.values, str(path))
    return stored


def ids_of(values: np.ndarray, name: str, palette: np.ndarray | None = None) -> np.ndarray:
    """Convert the values of a mask to ids after checking that they are ids.

    Args:
        values: Integer or bool values ``(H, W)``.
        name: Name of the mask for messages.
        palette: Colours of the values, if the file has a palette.

    Returns:
        Ids ``(H, W)``, uint8.

    Raises:
        ValueError: If the values are not ids: another type, shape or range, or see
            :func:`mmsigma.io.mask_checks.check_ids`.
    """
    _check_values(values, name)
    mask = values.astype(np.uint8)
    check_ids(mask, name, palette)
    return mask


def _check_values(values: np.ndarray, name: str) -> None:
    if values.ndim != 2 or values.dtype.kind not in 'biu' or values.size and (values.min() < 0 or values.max() > 255):
        raise ValueError(
            f'{name} contains {values.dtype} {values.shape}: a mask has the shape (H, W) and ids from 0 to 255'
        )


def _load_array(path: Path) -> np.ndarray:
    try:
        values: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f'{path} cannot be read as a mask: {error}') from error
    return values


def _read_png(path: Path) -> StoredMask:
    try:
        data = path.read_bytes()
        if data.startswith(_PNG):
            _check_sums(data)
        with Image.open(BytesIO(data)) as image:
            if image.format != 'PNG':
                raise ValueError(f'{path} is a {image.format} file, which may not preserve ids exactly: use PNG')
            if image.mode == 'P':
                colours = np.array(image.getpalette('RGB'), np.uint8).reshape(-1, 3)
                return StoredMask(np.asarray(image), colours)
            values = np.asarray(image)
    except UnidentifiedImageError as error:
        raise ValueError(f'{path} cannot be read as a mask: it is not an image') from error
    except (OSError, SyntaxError, EOFError, zlib.error, Image.DecompressionBombError) as error:
        raise ValueError(f'{path} cannot be read as a mask: {error}') from error
    if values.ndim == 3:
        values = _one_channel(values, f'{path} has the mode {image.mode}')
    if values.dtype.itemsize > 1 and values.dtype.kind in 'iu':
        values = _from_16_bits(values, path)
    return StoredMask(values, None)


def _check_sums(data: bytes) -> None:
    """Check the checksums in a PNG, of which Pillow ignores those of the pixels.

    Raises:
        OSError: If one is wrong, or the end is missing.
    """
    place = len(_PNG)
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], 'big'), data[place + 4 : place + 8]
        end = place + 8 + length
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], 'big'):
            raise OSError('it is damaged: a checksum is wrong')
        if kind == b'IEND':
            return
        place = end + 4
    raise OSError('it is cut off')


def _one_channel(values: np.ndarray, name: str) -> np.ndarray:
    """Return the grey values of a picture ``(H, W, C)``, with or without opacity as its last channel."""
    if values.shape[2] in (2, 4):
        if np.ptp(values[..., -1]):
            raise ValueError(
                f'{name}: parts of it are transparent, and what is below them is undefined. Save the ids without '
                'transparency, as a palette PNG'
            )
        values = values[..., :-1]
    if (values != values[..., :1]).any():
        raise ValueError(
            f'{name}: its pixels are colours. Save it with a palette, so that every pixel is the id of its object (0 '
            'is background), or convert it: tools/make_mask.py VIDEO --colours PICTURE --out MASK'
        )
    return values[..., 0]


def _from_16_bits(values: np.ndarray, path: Path) -> np.ndarray:
    """Return values of more than 8 bits, with white as 255 if the mask is in black and white."""
    largest = int(values.max(initial=0))
    if largest == 65535 and set(np.unique(values).tolist()) <= {0, 65535}:
        return np.where(values > 0, np.uint8(255), np.uint8(0))
    if largest > 255:
        raise ValueError(
            f'{path} has {8 * values.dtype.itemsize} bits per pixel and values up to {largest}: ids are at most 254, '
            'and 255 is void. Number the objects 1, 2, 3, ...'
        )
    return values.astype(np.uint8)


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
