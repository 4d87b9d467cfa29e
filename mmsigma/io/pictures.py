"""Images as files: which of a folder are frames, in which order, and their pixels."""

import re
import stat
from collections.abc import Container
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

PICTURES = {'.jpg', '.jpeg', '.png', '.webp', '.bmp'}  # suffixes of images


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
    files = (path for path in Path(folder).iterdir() if not path.name.startswith('.'))
    # links that lead nowhere stay, as an error of their frame: without it, all that follow would have another number
    pictures = [path for path in files if path.suffix.lower() in PICTURES and not path.is_dir()]
    pictures = [path for path in pictures if stems is None or path.stem in stems]
    pictures.sort(key=lambda path: (*natural_order(path.stem), path.name))
    for one, other in pairwise(pictures):
        if one.stem == other.stem:
            raise ValueError(f'{folder} has both {one.name} and {other.name}: keep one image per frame')
    return pictures


def natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a sorting key for names in which numbers are compared as numbers."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split('([0-9]+)', name))], name


def read_picture(path: str | Path) -> np.ndarray:
    """Read an RGB image, ``(H, W, 3)``, uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not an image, or is cut off.
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
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
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
