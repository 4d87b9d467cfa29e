"""Seeded damage to files, and videos that have suffered it."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from tests.robustness.videos import FORMATS, LENGTH, Case, write

Damage = Callable[[bytearray, np.random.Generator], bytes]


def cut(data: bytearray, rng: np.random.Generator, share: float) -> bytes:
    """Cut off the end."""
    return bytes(data[: round(len(data) * share)])


def cut_bytes(data: bytearray, rng: np.random.Generator, count: int) -> bytes:
    """Cut off the last bytes."""
    return bytes(data[:-count])


def flip(data: bytearray, rng: np.random.Generator, count: int) -> bytes:
    """Flip single bits anywhere."""
    for place in rng.integers(len(data), size=count):
        data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def block(data: bytearray, rng: np.random.Generator, fill: bytes | None) -> bytes:
    """Overwrite a twentieth of the file with a byte, or with noise, as lost sectors and transfers do."""
    length = max(len(data) // 20, 1)
    start = int(rng.integers(len(data) - length))
    data[start : start + length] = fill * length if fill else rng.bytes(length)
    return bytes(data)


def swap(data: bytearray, rng: np.random.Generator) -> bytes:
    """Exchange two blocks of a twentieth of the file."""
    length = max(len(data) // 20, 1)
    one, other = sorted(rng.choice(len(data) // length - 1, 2, replace=False) * length)
    first, second = data[one : one + length], data[other : other + length]
    data[one : one + length], data[other : other + length] = second, first
    return bytes(data)


def remove(data: bytearray, rng: np.random.Generator) -> bytes:
    """Take out a block of a twentieth of the file."""
    length = max(len(data) // 20, 1)
    start = int(rng.integers(len(data) - length))
    return bytes(data[:start] + data[start + length :])


def start_of(data: bytearray, rng: np.random.Generator, count: int) -> bytes:
    """Overwrite the header with noise."""
    data[:count] = rng.bytes(count)
    return bytes(data)


def append(data: bytearray, rng: np.random.Generator) -> bytes:
    """Add noise after the end."""
    return bytes(data) + rng.bytes(1000)


DAMAGES: dict[str, Damage] = {
    **{f'cut_to_{percent}_percent': partial(cut, share=percent / 100) for percent in (1, 10, 35, 60, 85, 97)},
    'without_last_byte': partial(cut_bytes, count=1),
    **{f'{count}_bits_{seed}': partial(flip, count=count) for count in (1, 10, 100) for seed in 'ab'},
    'zeros': partial(block, fill=b'\0'),
    'ones': partial(block, fill=b'\xff'),
    'noise': partial(block, fill=None),
    'swapped': swap,
    'block_missing': remove,
    'header': partial(start_of, count=16),
    'more': append,
}
DAMAGED = (
    'h264.mp4',
    'hevc.mp4',
    'mpeg4.avi',
    'h264.ts',
    'mpeg2.mpg',
    'vp8.webm',
    'h264.mkv',
    'mjpeg.mov',
    'ffv1.mkv',
    'wmv2.wmv',
    'flv.flv',
    'animation.gif',
)


def damaged() -> Iterator[Case]:
    """Every damage to every one of some formats."""
    for source in DAMAGED:
        stem, _, suffix = source.rpartition('.')
        for name, damage in DAMAGES.items():
            make = partial(_damaged, source=source, damage=damage)
            shown = range(LENGTH) if name == 'more' and source != 'animation.gif' else None
            yield Case(_kind(name), f'{stem}_{name}.{suffix}', make, shown, is_video=None)


def _kind(name: str) -> str:
    if name.startswith(('cut', 'without')):
        return 'cut off'
    return 'flipped bits' if '_bits_' in name else 'lost blocks'


def _damaged(path: Path, source: str, damage: Damage) -> None:
    codec, settings = FORMATS.get(source) or ('mjpeg', {'pix_fmt': 'yuvj420p'})
    options = {'x265-params': 'log-level=none'} if codec == 'libx265' else {}
    write(path, LENGTH, codec=codec, **settings, **options)
    rng = np.random.default_rng(crc32(path.name.encode()))
    path.write_bytes(damage(bytearray(path.read_bytes()), rng))
