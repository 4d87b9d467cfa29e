"""Ids of objects are told apart from shades, mixtures of colours and levels of grey."""

import cv2
import numpy as np
import pytest
from PIL import Image

from mmsigma.io.mask_checks import check_ids, count_pixels, is_antialiased, mask_ids
from mmsigma.io.masks import davis_palette, read_mask, write_mask


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
    write_mask(tmp_path / 'palette.png', ellipse(2))  # its colours are no shades of each other, but the ids are
    with pytest.raises(
        ValueError, match=r'palette\.png has 3 ids, such as 64 and 128, only where a lower and a higher'
    ):
        read_mask(tmp_path / 'palette.png')


def picture(*colours: tuple[int, int, int], factor: int = 1) -> Image.Image:
    """A black picture with a disk of each colour, drawn larger by a factor and averaged."""
    large = np.zeros((60 * factor, 60 * factor * len(colours), 3), np.uint8)
    for number, colour in enumerate(colours):
        cv2.circle(large, ((30 + 60 * number) * factor, 30 * factor), 20 * factor, colour, -1)
    return Image.fromarray(cv2.resize(large, (60 * len(colours), 60), interpolation=cv2.INTER_AREA))


DULL, BRIGHT = ((128, 0, 0), (0, 128, 0)), ((255, 0, 0), (0, 255, 0))


def objects(path) -> set[int]:
    return set(mask_ids(read_mask(path))) - {0}


def test_colours_that_the_palette_has_are_ids(tmp_path) -> None:
    picture(*BRIGHT).convert('P').save(tmp_path / 'a.png')
    assert len(objects(tmp_path / 'a.png')) == 2


@pytest.mark.parametrize('palette', ['web', 'davis'])
def test_dithered_palettes_are_refused(tmp_path, palette: str) -> None:
    if palette == 'web':
        picture(*DULL).convert('P').save(tmp_path / 'a.png')
    else:
        davis = Image.new('P', (1, 1))
        davis.putpalette(davis_palette()[:4].tobytes())
        picture((90, 40, 0), (0, 70, 20)).quantize(palette=davis).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='a.png is dithered: .*converted to few colours'):
        read_mask(tmp_path / 'a.png')


def test_dithered_black_and_white_is_refused(tmp_path) -> None:
    picture((128, 128, 128)).convert('1').save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='a.png is dithered'):
        read_mask(tmp_path / 'a.png')


@pytest.mark.parametrize('colours', [DULL, BRIGHT, DULL[:1]])
@pytest.mark.parametrize('convert', [lambda image: image.convert('P'), lambda image: image.quantize(16)])
def test_antialiased_palettes_are_refused(tmp_path, colours: tuple, convert) -> None:
    convert(picture(*colours, factor=4)).save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='a.png (is dithered|.* looks anti-aliased|: its palette has black)'):
        read_mask(tmp_path / 'a.png')


def test_ids_that_a_conversion_has_numbered_anew_are_refused(tmp_path) -> None:
    image = Image.fromarray(np.uint8([[2, 2, 2, 2], [2, 0, 1, 2]]).repeat(5, axis=0).repeat(5, axis=1))
    image.putpalette([128, 0, 0, 0, 128, 0, 0, 0, 0])
    image.save(tmp_path / 'a.png')
    with pytest.raises(ValueError, match=r'its palette has black for id 2 and \(128, 0, 0\) for id 0'):
        read_mask(tmp_path / 'a.png')


def blocks(values: list[int], side: int = 5) -> np.ndarray:
    mask = np.zeros((side + 2, (side + 1) * len(values) + 1), np.uint8)
    for number, value in enumerate(values):
        mask[1:-1, (side + 1) * number + 1 : (side + 1) * (number + 1)] = value
    return mask


@pytest.mark.parametrize('greys', [[128, 255], [85, 170, 255], [50, 255]])
def test_levels_of_grey_up_to_void_are_refused(greys: list[int]) -> None:
    with pytest.raises(ValueError, match=r'levels of grey, but 255 is void.* save the ids 1, 2'):
        check_ids(blocks(greys), 'a.png')
    check_ids(blocks(greys), 'a.png', davis_palette())


@pytest.mark.parametrize(
    'ids', [[1, 255], [1, 2, 255], [255], [64, 128], [200], list(range(1, 101)), list(range(1, 255))]
)
def test_many_ids_and_void_are_accepted(ids: list[int]) -> None:
    check_ids(blocks(ids), 'a.png')
    check_ids(blocks(ids), 'a.png', davis_palette())


def test_lines_are_not_taken_for_dithered() -> None:
    mask = blocks([1, 2, 3], side=40)
    for number in range(40):
        mask[number, 2 * number % 120], mask[number, (number + 50) % 120] = 4, 5
    check_ids(mask, 'a.png', davis_palette())
    assert not is_antialiased(mask)


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, bool])
def test_ids(dtype: type) -> None:
    mask = np.random.default_rng(0).integers(0, 2, (30, 40)).astype(dtype)
    mask[3, 4:6] = (7, 255)
    assert mask_ids(mask[:, ::2]) == np.unique(mask[:, ::2]).tolist()
    assert mask_ids(mask) == ([0, 1] if dtype is bool else [0, 1, 7, 255])


def objects_of(ids: tuple[int, ...], shape: tuple[int, int] = (480, 854)) -> np.ndarray:
    """Ellipses of given ids, the later ones over the earlier ones."""
    mask = np.zeros(shape, np.uint8)
    for place, number in enumerate(ids, start=1):
        centre = shape[1] * place // (len(ids) + 1), shape[0] // 2
        cv2.ellipse(mask, centre, (shape[1] // 6, shape[0] // 4), 30 * place, 0, 360, number, -1)
    return mask


def with_pillow(mask: np.ndarray, size: tuple[int, int], how: int) -> np.ndarray:
    return np.asarray(Image.fromarray(mask).resize(size, how))


RESIZED = {
    'linear': lambda mask, size: cv2.resize(mask, size),
    'area': lambda mask, size: cv2.resize(mask, size, interpolation=cv2.INTER_AREA),
    'cubic': lambda mask, size: cv2.resize(mask, size, interpolation=cv2.INTER_CUBIC),
    'bilinear of Pillow': lambda mask, size: with_pillow(mask, size, Image.Resampling.BILINEAR),
    'Lanczos of Pillow': lambda mask, size: with_pillow(mask, size, Image.Resampling.LANCZOS),
}


@pytest.mark.parametrize('size', [(320, 240), (600, 337), (1280, 720)])
@pytest.mark.parametrize('ids', [(3, 8), (50, 100), (100, 200), (10, 20), (1, 4, 9)])
@pytest.mark.parametrize('how', RESIZED)
def test_ids_resized_with_interpolation_are_refused(tmp_path, how: str, ids: tuple, size: tuple[int, int]) -> None:
    mask = RESIZED[how](objects_of(ids), size)
    assert len(mask_ids(mask)) > len(ids) + 1
    write_mask(tmp_path / 'palette.png', mask)
    Image.fromarray(mask).save(tmp_path / 'grey.png')
    for name in ('palette.png', 'grey.png'):
        with pytest.raises(ValueError, match=rf'{name} has (?s:.*) resized with interpolation, (?s:.*)by nearest'):
            read_mask(tmp_path / name)
    nearest = cv2.resize(objects_of(ids), size, interpolation=cv2.INTER_NEAREST)
    write_mask(tmp_path / 'palette.png', nearest)
    np.testing.assert_array_equal(read_mask(tmp_path / 'palette.png'), nearest)


def test_thin_objects_are_no_blends() -> None:
    """One thin object between two others, several on others, and specks."""
    for thin in ([2], [5, 6], [9]):
        mask = np.zeros((60, 90), np.uint8)
        mask[10:30, 10:60], mask[31:50, 10:60] = 1, 3
        for place, number in enumerate(thin):
            mask[30 + 2 * place, 10:60] = number
        check_ids(mask, 'a.png')
        check_ids(mask, 'a.png', davis_palette())
    mask[20, 60], mask[25, 60] = 1, 2
    check_ids(mask, 'a.png')


@pytest.mark.parametrize('kind', ['blobs', 'noise', 'one row', 'one value', 'empty'])
def test_pixels_of_every_id_are_counted(kind: str) -> None:
    rng = np.random.default_rng(0)
    mask = dict(
        blobs=np.kron(rng.integers(0, 256, (6, 7)), np.ones((32, 32))),
        noise=rng.integers(0, 256, (40, 50)),
    )
    mask = mask | {'one row': mask['noise'][:1], 'one value': np.full((3, 40), 7), 'empty': np.zeros((0, 5))}
    given = mask[kind].astype(np.uint8)
    np.testing.assert_array_equal(count_pixels(given), np.bincount(given.ravel(), minlength=256))
    np.testing.assert_array_equal(count_pixels(given.T), np.bincount(given.ravel(), minlength=256))
    assert mask_ids(given) == sorted(set(given.ravel().tolist()))
