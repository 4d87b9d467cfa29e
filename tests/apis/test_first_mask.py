"""First masks from boxes, polygons and colours."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmsigma.apis.first_mask import boxes_of, draw_outlines, ids_from_colours
from mmsigma.apis.given_masks import load_masks
from mmsigma.io.masks import read_mask
from tests.scripts import Result
from tests.vos_data import draw_video, write_frames


def test_boxes() -> None:
    mask = draw_outlines((10, 20), [(2, 3, 6, 8), (5, 0, 20, 10)])
    expected = np.zeros((10, 20), np.uint8)
    expected[3:8, 2:6], expected[:, 5:] = 1, 2
    np.testing.assert_array_equal(mask, expected)
    assert boxes_of(mask) == {1: (2, 3, 5, 8), 2: (5, 0, 20, 10)}


def test_polygons_have_the_pixels_whose_centre_is_inside() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = rng.uniform(0, 30, (5, 2))
        try:
            mask = draw_outlines((30, 30), [corners.ravel()])
        except ValueError:
            continue
        for y, x in rng.integers(0, 30, (40, 2)):
            crossed = 0
            for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                    crossed += x0 + (y + 0.5 - y0) * (x1 - x0) / (y1 - y0) <= x + 0.5
            assert mask[y, x] == crossed % 2
    square = draw_outlines((10, 10), [(2, 2, 7, 2, 7, 6, 2, 6)])
    np.testing.assert_array_equal(square, draw_outlines((10, 10), [(2, 2, 7, 6)]))


@pytest.mark.parametrize(
    ('outlines', 'message'),
    [
        ([], 'there are 0 objects: a mask has 1 to 254'),
        ([(0, 0, 5, 5), (4, 4, 2, 8)], 'object 2: a box is left, top, right, bottom'),
        ([(0, 0, 5, 5, 3)], 'object 1 has 5 numbers: a box has 4, a polygon'),
        ([(0, 0, 50, 5)], 'object 1 .* is not within the frame of 20 x 10 pixels'),
        ([(0, 0, float('nan'), 5, 3, 3)], 'object 1 .* is not within the frame'),
        ([(2, 2, 4, 4), (0, 0, 5, 5)], r'objects \[1\] have no pixels, or later ones cover them'),
    ],
)
def test_outlines_that_are_none(outlines: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_outlines((10, 20), outlines)


def test_colours() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[2:8, 20:28], picture[10:18, 3:9] = (0, 128, 0), (128, 0, 0)
    mask, colours = ids_from_colours(picture, 'a.png')
    assert colours == [(0, 128, 0), (128, 0, 0)]
    assert boxes_of(mask) == {1: (20, 2, 28, 8), 2: (3, 10, 9, 18)}
    with pytest.raises(ValueError, match='a.png has no object: all pixels are black'):
        ids_from_colours(picture * 0, 'a.png')
    smooth = cv2.resize(cv2.resize(picture, (300, 200), interpolation=cv2.INTER_NEAREST), (41, 27), None, 0, 0, 3)
    with pytest.raises(ValueError, match='a.png .*looks anti-aliased'):
        ids_from_colours(smooth, 'a.png')
    with pytest.raises(ValueError, match='a.png has 256 colours: each would be an object'):
        ids_from_colours(np.arange(1800).reshape(20, 30, 3).astype(np.uint8), 'a.png')


def test_tool(run_tool: Callable[..., Result], tmp_path: Path) -> None:
    frames, masks = draw_video(3, num_objects=2)
    write_frames(tmp_path / 'frames', frames, ['0', '1', '2'])
    run = partial(run_tool, 'tools/make_mask.py', tmp_path / 'frames', '--out', tmp_path / 'mask.png')

    box, polygon = ('--box', 8, 4, 20, 14), ('--polygon', 8, 18, 20, 18, 20, 28, 8, 28)
    done = run(*box, *polygon, '--preview', tmp_path / 'preview.jpg')
    assert done.status == 0, done.errors
    np.testing.assert_array_equal(read_mask(tmp_path / 'mask.png'), masks[0])
    assert 'object 2: 120 pixels within (8, 18, 20, 28)' in done.output and (tmp_path / 'preview.jpg').is_file()
    assert set(np.unique(load_masks({0: tmp_path / 'mask.png'})[0])) == {0, 1, 2}
    Image.fromarray(np.uint8([(0, 0, 0), (200, 0, 0), (0, 200, 0)])[masks[0]]).save(tmp_path / 'colours.png')
    assert run('--colours', tmp_path / 'colours.png').status == 0
    np.testing.assert_array_equal(read_mask(tmp_path / 'mask.png'), masks[0])
    assert 'so there is no frame 3' in run(*box, '--frame', 3).errors
    (tmp_path / 'mask.png').unlink()
    done = run(*box, '--preview', tmp_path / 'preview.xyz')
    assert done.status == 1 and '--preview must end in one of .bmp .jpeg' in done.errors
    assert not (tmp_path / 'mask.png').exists()
    assert 'describe the objects by --box and --polygon, or by --colours' in run().errors
