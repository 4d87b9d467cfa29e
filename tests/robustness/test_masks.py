"""Masks of all kinds, odd and damaged: the ids that were stored, or a ValueError that names the file."""

import os
from io import BytesIO
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from mmsigma.io.masks import davis_palette, read_mask
from tests.robustness.damage import DAMAGES


def ids() -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    mask[5:20, 8:30], mask[25:44, 30:60] = 1, 2
    return mask


def image_of(mode: str) -> Image.Image:
    mask = ids()
    opaque = np.full_like(mask, 255)
    if mode == 'P':
        image = Image.fromarray(mask)
        image.putpalette(davis_palette().tobytes())
        return image
    if mode == '16':
        return Image.fromarray(mask.astype(np.uint16))
    channels = {'L': [], 'LA': [mask, opaque], 'RGB': [mask] * 3, 'RGBA': [*[mask] * 3, opaque]}[mode]
    return Image.fromarray(np.stack(channels, axis=-1) if channels else mask)


def png(mode: str) -> bytes:
    file = BytesIO()
    image_of(mode).save(file, format='PNG')
    return file.getvalue()


MODES = ('P', 'L', '16', 'LA', 'RGB', 'RGBA')


@pytest.mark.parametrize('mode', MODES)
def test_damaged(tmp_path: Path, mode: str) -> None:
    path = tmp_path / 'mask.png'
    path.write_bytes(png(mode))
    np.testing.assert_array_equal(read_mask(path), ids())
    for seed in range(3):
        for damage, apply in DAMAGES.items():
            rng = np.random.default_rng([seed, crc32(f'{mode} {damage}'.encode())])
            path.write_bytes(apply(bytearray(png(mode)), rng))
            try:
                found = read_mask(path)
            except ValueError as error:
                assert str(path) in str(error) and damage != 'more', damage
                continue
            np.testing.assert_array_equal(found, ids(), err_msg=damage)


@pytest.mark.parametrize('dtype', ['uint8', 'int64', 'bool'])
def test_arrays(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / 'mask.npy'
    mask = ids().clip(max=1).astype(dtype)
    np.save(path, mask)
    whole = path.read_bytes()
    np.testing.assert_array_equal(read_mask(path), mask)
    for damage, apply in DAMAGES.items():
        if damage.startswith(('cut', 'without', 'header')):
            path.write_bytes(apply(bytearray(whole), np.random.default_rng(0)))
            with pytest.raises(ValueError, match=r'mask\.npy'):
                read_mask(path)


@pytest.mark.parametrize(
    'mask',
    [
        np.full((4, 4), 0.5),
        np.full((4, 4), -1),
        np.full((4, 4), 256),
        np.zeros((2, 4, 4), np.uint8),
        np.array(3, np.uint8),
        np.array([[object()]]),
        np.zeros((4, 4), np.complex64),
        np.zeros((4, 4), 'U3'),
    ],
)
def test_arrays_that_are_no_masks(tmp_path: Path, mask: np.ndarray) -> None:
    np.save(tmp_path / 'mask.npy', mask, allow_pickle=True)
    with pytest.raises(ValueError, match=r'mask\.npy'):
        read_mask(tmp_path / 'mask.npy')


@pytest.mark.parametrize('data', [b'', b'\x89PNG\r\n\x1a\n', b'<html></html>', bytes(1000), b'\0\5\x16\7' + bytes(99)])
@pytest.mark.parametrize('name', ['mask.png', 'mask.npy'])
def test_what_is_no_mask(tmp_path: Path, data: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=name):
        read_mask(tmp_path / name)


def test_other_formats_and_colours(tmp_path: Path) -> None:
    colours = davis_palette()[ids()]
    for name, image in [
        ('a.jpg', Image.fromarray(colours)),
        ('a.png', Image.fromarray(colours)),
        ('a.gif', image_of('P')),
    ]:
        image.save(tmp_path / name)
        with pytest.raises(ValueError, match=name):
            read_mask(tmp_path / name)


def test_huge_sizes_take_no_memory(tmp_path: Path) -> None:
    data = bytearray(png('L'))
    data[16:24] = (2**31 - 1).to_bytes(4, 'big') * 2
    data[29:33] = crc32(data[12:29]).to_bytes(4, 'big')
    (tmp_path / 'mask.png').write_bytes(data)
    with pytest.raises(ValueError, match=r'mask\.png'):
        read_mask(tmp_path / 'mask.png')
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000, 4000000000), }"
    (tmp_path / 'mask.npy').write_bytes(b'\x93NUMPY\1\0' + len(header).to_bytes(2, 'little') + header)
    with pytest.raises(ValueError, match=r'mask\.npy'):
        read_mask(tmp_path / 'mask.npy')


def test_pipes_folders_and_links(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'a.png')
    (tmp_path / 'b.png').mkdir()
    (tmp_path / 'c.png').symlink_to('c.png')
    for name in ('a.png', 'b.png', 'c.png'):
        with pytest.raises(FileNotFoundError, match=name):
            read_mask(tmp_path / name)
