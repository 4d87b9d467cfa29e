"""Masks on disk: what is written is read, and what is no mask is refused with the remedy."""

import cv2
import numpy as np
import pytest
from PIL import Image

from mmsigma.io.masks import category_ids, davis_palette, mask_ids, read_mask, write_mask
from tests.golden_evaluation import load_case
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
        'a.jpg': 'is a JPEG file, which may not preserve ids exactly: use PNG',
        'smooth.png': '100 different values: it looks anti-aliased',
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


def ellipse(factor: int, axes: tuple[int, int] = (30, 18)) -> np.ndarray:
    """A filled ellipse, drawn larger by a factor and averaged."""
    large = np.zeros((60 * factor, 90 * factor), np.uint8)
    centre = (45 * factor, 30 * factor)
    cv2.ellipse(large, centre, (axes[0] * factor, axes[1] * factor), 20, 0, 360, 255, -1)
    return cv2.resize(large, (90, 60), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize('axes', [(30, 18), (6, 4)])
@pytest.mark.parametrize('factor', [2, 4, 8])
def test_antialiased_masks_are_refused(tmp_path, factor: int, axes: tuple[int, int]) -> None:
    mask = ellipse(factor, axes)
    assert 3 < len(mask_ids(mask)) < 65
    Image.fromarray(mask).save(tmp_path / 'a.png')
    np.save(tmp_path / 'a.npy', mask // 2)
    for name, largest in (('a.png', 255), ('a.npy', 127)):
        with pytest.raises(ValueError, match=f'has {largest} all over an object.*anti-aliased.*palette PNG'):
            read_mask(tmp_path / name)
    assert set(mask_ids(read_mask(tmp_path / 'a.png', binary=True))) == {0, 1}
    hard = ellipse(1, axes)
    Image.fromarray(hard).save(tmp_path / 'b.png')
    np.testing.assert_array_equal(read_mask(tmp_path / 'b.png'), hard)


def test_id_maps_are_not_taken_for_antialiased(tmp_path) -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[10:13, 10:13], mask[30:32, 2:60], mask[32:50, 40:80] = 1, 2, 3  # a stick that lies on an object
    rim = np.where(cv2.dilate(ellipse(1), np.ones((3, 3))) > ellipse(1), 255, ellipse(1) // 255).astype(np.uint8)
    tiny = np.zeros((60, 90), np.uint8)
    tiny[5:7, 5:7], tiny[7:10, 5:8] = 1, 2
    for name, values in dict(ids=mask, void=rim, tiny=tiny, reversed=np.array([0, 3, 2, 1], np.uint8)[mask]).items():
        Image.fromarray(values).save(tmp_path / f'{name}.png')
        np.testing.assert_array_equal(read_mask(tmp_path / f'{name}.png'), values)
    write_mask(tmp_path / 'palette.png', ellipse(2))  # a palette says that they are ids
    np.testing.assert_array_equal(read_mask(tmp_path / 'palette.png'), ellipse(2))


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, bool])
def test_ids(dtype: type) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (30, 40)).astype(dtype)
    mask[3, 4:6] = (7, 255)
    assert mask_ids(mask[:, ::2]) == np.unique(mask[:, ::2]).tolist()
    assert mask_ids(mask) == ([0, 1] if dtype is bool else [0, 1, 7, 255])


def test_categories_of_instances() -> None:
    arrays = load_case('seg_ytvos_category_ids').arrays
    ours = category_ids(arrays['in_instances'], arrays['in_instance_ids'], arrays['in_category_ids'])
    np.testing.assert_array_equal(ours, arrays['out_lookup'])
    assert (ours != arrays['out_reference_in_place']).any()
