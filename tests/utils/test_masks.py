"""Masks on disk: what is written is read, and what is no mask is refused with the remedy."""

import numpy as np
import pytest
from PIL import Image

from mmsigma.utils.masks import davis_palette, mask_ids, read_mask, write_mask
from tests.golden_mask_vos import load_vectors


def test_official_palette() -> None:
    np.testing.assert_array_equal(davis_palette(), load_vectors('palette_davis').arrays['out_palette'])


def test_there_and_back(tmp_path) -> None:
    mask = np.random.default_rng(0).integers(6, size=(13, 17), dtype=np.uint8)
    mask[0] = 255
    write_mask(tmp_path / 'a.png', mask)
    np.testing.assert_array_equal(read_mask(tmp_path / 'a.png'), mask)
    with Image.open(tmp_path / 'a.png') as image:
        assert image.mode == 'P' and image.getpalette()[3:6] == [128, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
    np.save(tmp_path / 'a.npy', mask.astype(np.int64))
    np.testing.assert_array_equal(read_mask(tmp_path / 'a.npy'), mask)


@pytest.mark.parametrize('mode', ['L', '1'])
def test_binary_masks(tmp_path, mode: str) -> None:
    mask = np.zeros((8, 9), np.uint8)
    mask[2:5] = 255
    Image.fromarray(mask).convert(mode).save(tmp_path / 'a.png')
    np.testing.assert_array_equal(read_mask(tmp_path / 'a.png', binary=True), mask // 255)


def test_what_is_no_mask(tmp_path) -> None:
    generator = np.random.default_rng(0)
    colours = Image.fromarray(generator.integers(256, size=(8, 9, 3), dtype=np.uint8))
    colours.save(tmp_path / 'rgb.png')
    colours.convert('L').save(tmp_path / 'a.jpg')
    Image.fromarray(np.tile(np.arange(100, dtype=np.uint8), (4, 1))).save(tmp_path / 'smooth.png')
    (tmp_path / 'text.png').write_text('no image')
    np.save(tmp_path / 'a.npy', np.zeros((3, 4, 5), np.uint8))
    np.save(tmp_path / 'soft.npy', np.zeros((3, 4)))
    for name, message in {
        'rgb.png': 'has the mode RGB: its pixels are colours. Save it with a palette',
        'a.jpg': 'is a JPEG file, which does not keep ids exactly: use PNG',
        'smooth.png': '100 different values: it looks anti-aliased',
        'text.png': 'cannot be read as a mask',
        'a.npy': r'holds uint8 \(3, 4, 5\): a mask has ids',
        'soft.npy': r'holds float64 \(3, 4\)',
    }.items():
        with pytest.raises(ValueError, match=message):
            read_mask(tmp_path / name)
    with pytest.raises(FileNotFoundError, match='no mask at'):
        read_mask(tmp_path / 'missing.png')
    with pytest.raises(ValueError, match='a mask has ids from 0 to 255'):
        write_mask(tmp_path / 'b.png', np.full((2, 2), 300))


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, bool])
def test_ids(dtype: type) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (30, 40)).astype(dtype)
    mask[3, 4:6] = (7, 255)
    assert mask_ids(mask[:, ::2]) == np.unique(mask[:, ::2]).tolist()
    assert mask_ids(mask) == ([0, 1] if dtype is bool else [0, 1, 7, 255])
