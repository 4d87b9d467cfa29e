"""Masks on disk: what is written is read, and what is no mask is refused with the remedy."""

import numpy as np
import pytest
from PIL import Image

from mmsigma.io.masks import category_ids, davis_palette, read_mask, write_mask
from tests.golden_evaluation import load_case
from tests.golden_mask_vos import load_vectors


def test_official_palette() -> None:
    np.testing.assert_array_equal(davis_palette(), load_vectors('palette_davis').arrays['out_palette'])


def test_there_and_back(tmp_path) -> None:
    mask = np.random.default_rng(0).integers(6, size=(7, 9), dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1)
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


def squares(*values: int) -> np.ndarray:
    mask = np.zeros((12, 10 * len(values) + 2), np.int64)
    for number, value in enumerate(values):
        mask[2:8, 10 * number + 2 : 10 * number + 9] = value
    return mask


def test_ids_in_other_modes(tmp_path) -> None:
    mask, path = squares(1, 2), tmp_path / 'a.png'
    narrow = mask.astype(np.uint8)
    opaque = np.full_like(narrow, 255)
    for picture in (
        Image.fromarray(mask.astype(np.uint16)),
        Image.fromarray(np.stack([narrow, opaque], axis=-1), 'LA'),
        Image.fromarray(np.stack([narrow] * 3, axis=-1)),
        Image.fromarray(np.stack([narrow] * 3 + [opaque], axis=-1)),
    ):
        picture.save(path)
        np.testing.assert_array_equal(read_mask(path), mask)


def test_black_and_white_in_other_modes(tmp_path) -> None:
    white, path = squares(255).astype(np.uint8), tmp_path / 'a.png'
    for picture in (
        Image.fromarray(white.astype(np.uint16) * 257),
        Image.fromarray(white).convert('RGB'),
        Image.fromarray(white).convert('LA'),
        Image.fromarray(white).convert('1'),
    ):
        picture.save(path)
        np.testing.assert_array_equal(read_mask(path, binary=True), white // 255)
    Image.fromarray(white).convert('RGB').save(path)
    np.testing.assert_array_equal(read_mask(path), white)


def test_the_true_reason_is_named(tmp_path) -> None:
    path, narrow = tmp_path / 'a.png', squares(1, 2).astype(np.uint8)
    Image.fromarray(squares(1, 300).astype(np.uint16)).save(path)
    with pytest.raises(ValueError, match='a.png has 16 bits per pixel and values up to 300: ids are at most 254'):
        read_mask(path)
    Image.fromarray(np.stack([narrow, narrow], axis=-1), 'LA').save(path)
    with pytest.raises(ValueError, match='a.png has the mode LA: parts of it are transparent'):
        read_mask(path)
    np.save(tmp_path / 'objects.npy', np.array([object()]), allow_pickle=True)
    with pytest.raises(ValueError, match='objects.npy cannot be read as a mask'):
        read_mask(tmp_path / 'objects.npy')


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
        'a.jpg': 'is a JPEG file, which may not preserve ids exactly: use PNG',
        'smooth.png': '100 different values, .*: it looks anti-aliased',
        'text.png': 'cannot be read as a mask',
        'a.npy': r'contains uint8 \(3, 4, 5\): a mask has the shape \(H, W\) and ids',
        'soft.npy': r'contains float64 \(3, 4\)',
    }.items():
        with pytest.raises(ValueError, match=message):
            read_mask(tmp_path / name)
    with pytest.raises(FileNotFoundError, match='no mask at'):
        read_mask(tmp_path / 'missing.png')
    with pytest.raises(ValueError, match=r'a mask has the shape \(H, W\) and ids from 0 to 255'):
        write_mask(tmp_path / 'b.png', np.full((2, 2), 300))


def test_categories_of_instances() -> None:
    arrays = load_case('seg_ytvos_category_ids').arrays
    ours = category_ids(arrays['in_instances'], arrays['in_instance_ids'], arrays['in_category_ids'])
    np.testing.assert_array_equal(ours, arrays['out_lookup'])
    assert (ours != arrays['out_reference_in_place']).any()


def test_damaged_pixels_are_no_other_ids(tmp_path) -> None:
    """Pillow itself does not look at the checksum of the pixels."""
    path = tmp_path / 'a.png'
    Image.fromarray(squares(1, 2).astype(np.uint16)).save(path, compress_level=0)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.png cannot be read as a mask: it is damaged: a checksum is wrong'):
        read_mask(path)
    path.write_bytes(data[:-20])
    with pytest.raises(ValueError, match=r'a\.png cannot be read as a mask'):
        read_mask(path)
