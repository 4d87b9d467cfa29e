"""Convert CIFAR-100 to PNG files, with train.txt and test.txt for the 100 fine classes.

Reads the Python version of the dataset, the pickles train, test and meta. Only arrays and plain containers are
unpickled; anything else in a file is an error.

Example::

    python tools/dataset_converters/cifar100.py data/cifar100 --annotations data/cifar100/cifar-100-python
"""

import pickle
from argparse import Namespace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmsigma.datasets.videos.lists import Split, converter_parser, run_converter
from mmsigma.io.atomic import make_folder

SIZES = {'train': 50_000, 'test': 10_000}
_ALLOWED = {
    *((module, '_reconstruct') for module in ('numpy.core.multiarray', 'numpy._core.multiarray')),
    *(('numpy', name) for name in ('ndarray', 'dtype')),
    ('_codecs', 'encode'),  # bytes in pickles with protocols of Python 2
}


class ArrayUnpickler(pickle.Unpickler):
    """Unpickler for arrays and plain containers that rejects everything that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f'it would import {module}.{name}')
        return super().find_class(module, name)


def convert(args: Namespace) -> tuple[list[Split], list[str]]:
    classes = [name.decode() for name in read_pickle(args.annotations / 'meta', b'fine_label_names')]
    splits = []
    for part, size in SIZES.items():
        pixels, labels = read_pickle(args.annotations / part, b'data', b'fine_labels')
        images = check_images(args.annotations / part, pixels, labels)
        splits.append(Split(part, write_images(args.root, part, images, labels), expected=size))
    return splits, classes


def read_pickle(path: Path, *keys: bytes) -> Any:
    """Read the objects under ``keys`` from a file: one object, or a list for several keys.

    Raises:
        ValueError: If the file contains objects other than arrays and containers, or lacks a key.
    """
    try:
        with path.open('rb') as file:
            content = ArrayUnpickler(file, encoding='bytes').load()
        values = [content[key] for key in keys]
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is not a file of CIFAR-100 (Python version): {error}') from error
    return values if len(keys) > 1 else values[0]


def check_images(path: Path, pixels: np.ndarray, labels: list[int]) -> np.ndarray:
    """Convert rows of three colour planes to images ``(N, 32, 32, 3)``.

    Raises:
        ValueError: If the number of rows of 3,072 bytes differs from that of the labels.
    """
    if getattr(pixels, 'shape', None) != (len(labels), 3072) or pixels.dtype != np.uint8:
        raise ValueError(f'{path}: expected {len(labels)} rows of 3,072 bytes, got {getattr(pixels, "shape", pixels)}')
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def write_images(root: Path, part: str, images: np.ndarray, labels: list[int]) -> list[tuple[str, int]]:
    """Write ``<part>/00000.png`` and so on, and return their paths and labels."""
    make_folder(root / part)
    entries = []
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = f'{part}/{number:05d}.png'
        if not cv2.imwrite(str(root / path), image[..., ::-1]):
            raise OSError(f'{root / path} could not be written')
        entries.append((path, int(label)))
    return entries


if __name__ == '__main__':
    run_converter(converter_parser(__doc__, 'cifar-100-python'), convert)
