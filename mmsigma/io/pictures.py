"""Images as files: which of a folder are frames, in which order, and their pixels."""

import re
import stat
from collections.abc import Container, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

PICTURES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp'}  # suffixes of images
_DECIMALS = re.compile('(?<!mp)[0-9]+[.]([0-9]+)(?![.]?[0-9])')  # of a number, but not of the name of an .mp4


def list_pictures(folder: str | Path, stems: Container[str] | None = None) -> list[Path]:
    """List the images in a folder in natural order of their names, in which frame 2 precedes frame 10.

    Hidden files, such as the ``._*`` of macOS, are no images.

    Args:
        folder: Folder to list.
        stems: Names without suffix to which the list is restricted; None for all images.

    Returns:
        Paths of the images.

    Raises:
        ValueError: If two images differ only in their suffix, as they would be the same frame twice.
    """
    pictures = [path for path in Path(folder).iterdir() if is_picture(path)]
    pictures = [path for path in pictures if stems is None or path.stem in stems]
    pictures.sort(key=lambda path: (*natural_order(path.stem), path.name))
    for one, other in pairwise(pictures):
        if one.stem == other.stem:
            raise ValueError(f'{folder} has both {one.name} and {other.name}: keep one image per frame')
    return pictures


def is_picture(path: Path) -> bool:
    """Return whether a path is that of an image, by its name; hidden files and folders are none."""
    # links that lead nowhere stay, as an error of their frame: without it, all that follow would have another number
    return path.suffix.lower() in PICTURES and not path.name.startswith('.') and not path.is_dir()


def list_frames(folder: str | Path) -> list[Path]:
    """List the images in a folder that are the frames of one video, in the order of :func:`list_pictures`.

    Args:
        folder: Folder to list.

    Returns:
        Paths of the frames.

    Raises:
        ValueError: If the names do not differ in their numbers alone, as with optical flow or masks beside the frames,
            a thumbnail, or images of several formats; if two have the same number; or if their order is not clear, as
            that of 0.5 and 0.25.
    """
    frames = list_pictures(folder)
    patterns: dict[str, str] = {}  # an example of each
    for path in frames:
        patterns.setdefault(re.sub('[0-9]+', '#', path.name.lower()), path.name)
    if len(patterns) > 1:
        some = ', '.join(f'{pattern} ({name})' for pattern, name in list(patterns.items())[:4])
        raise ValueError(
            f'{folder} has images of {len(patterns)} kinds, {some}: keep nothing in it but the frames of one video, '
            'with names that differ in their numbers alone'
        )
    known: dict[tuple[int, ...], str] = {}
    for path in frames:
        number = tuple(map(int, re.findall('[0-9]+', path.stem)))
        if (other := known.setdefault(number, path.name)) != path.name:
            raise ValueError(f'{folder} has both {other} and {path.name}: keep one image per frame')
    _check_decimals(folder, frames)
    return frames


def _check_decimals(folder: str | Path, frames: Sequence[Path]) -> None:
    """Check that what follows a decimal point has the same length everywhere: otherwise, .5 would precede .25."""
    found = [(path.name, match[1]) for path in frames if (match := _DECIMALS.search(path.stem))]
    for name, decimals in found:
        if len(decimals) != len(found[0][1]):
            raise ValueError(
                f'{folder} has both {found[0][0]} and {name}, whose order is not clear: write as many decimals in each '
                'name, or number the frames'
            )


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key for names in which numbers are compared as numbers."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split('([0-9]+)', name))], name


def read_picture(path: str | Path) -> np.ndarray:
    """Read an RGB image, ``(H, W, 3)``, uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not an image, is cut off, or claims a size that no image has.
    """
    path = Path(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f'{path} cannot be read as an image: it is a folder, pipe or device')
        data = path.read_bytes()  # OpenCV itself crashes on names that are not UTF-8
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f'{path} cannot be read as an image: {error.strerror}') from error
    if _is_cut_off(data):
        raise ValueError(f'{path} cannot be read as an image: it is cut off')
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:  # sizes beyond the limit of OpenCV, or beyond the memory
        raise ValueError(
            f'{path} cannot be read as an image: it is damaged, or too large for OpenCV ({error.err})'
        ) from error
    if picture is None:
        raise ValueError(f'{path} cannot be read as an image')
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def _is_cut_off(data: bytes) -> bool:
    """Return whether the end of a file is missing, of which decoders make grey areas without an error."""
    if data.startswith(b'\xff\xd8'):  # JPEG: the last scan is followed by the end marker
        return data.rfind(b'\xff\xd9') < data.rfind(b'\xff\xda')
    if data.startswith(b'\x89PNG'):  # the last chunk of pixels is followed by the end chunk
        return data.rfind(b'IEND') < data.rfind(b'IDAT')
    if data.startswith(b'BM'):
        return len(data) < int.from_bytes(data[2:6], 'little')
    if data.startswith(b'RIFF') and data[8:12] == b'WEBP':
        return len(data) < int.from_bytes(data[4:8], 'little') + 8
    return False
