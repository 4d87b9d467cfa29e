"""Objects drawn on frames."""

import numpy as np
import pytest

from mmsigma.app.drawing import BOX, BRUSH, POLYGON, Drawing

SIZE = (36, 52)


def test_a_box_is_two_clicks() -> None:
    drawing = Drawing(SIZE)
    drawing.click(0, (20, 14), BOX)
    assert drawing.corners == [(20, 14)] and not drawing.objects
    drawing.click(0, (8, 4), BOX)
    (frame, mask), *rest = drawing.masks().items()
    assert frame == 0 and not rest and not drawing.corners
    expected = np.zeros(SIZE, np.uint8)
    expected[4:14, 8:20] = 1
    np.testing.assert_array_equal(mask, expected)


def test_a_box_without_pixels() -> None:
    drawing = Drawing(SIZE)
    drawing.click(0, (8, 4), BOX)
    with pytest.raises(ValueError, match='a box is left, top, right, bottom'):
        drawing.click(0, (8, 9), BOX)
    assert not drawing.corners and not drawing.objects


def test_a_polygon_is_closed() -> None:
    drawing = Drawing(SIZE)
    for corner in ((0, 0), (10, 0), (10, 10)):
        drawing.click(3, corner, POLYGON)
    drawing.close(3)
    assert drawing.masks()[3].sum() == 55  # the diagonal and what is above it
    drawing.click(3, (5, 5), POLYGON)
    with pytest.raises(ValueError, match='a polygon has three corners or more, and there are 1'):
        drawing.close(3)


def test_a_brush_of_another_size() -> None:
    drawing, layer = Drawing(SIZE), np.zeros((72, 104, 4), np.uint8)
    layer[20:40, 30:60, 3] = 255
    layer[0:10, 0:10, 3] = 100  # a soft edge
    drawing.paint(0, [layer])
    expected = np.zeros(SIZE, np.uint8)
    expected[10:20, 15:30] = 1
    np.testing.assert_array_equal(drawing.masks()[0], expected)
    with pytest.raises(ValueError, match='nothing was painted'):
        drawing.paint(0, [np.zeros_like(layer)])
    assert BRUSH not in (BOX, POLYGON)


def test_objects_of_several_frames() -> None:
    drawing = Drawing(SIZE)
    assert drawing.describe() == 'No object yet'
    with pytest.raises(ValueError, match='there is no object yet'):
        drawing.masks()
    drawing.add_outline(0, (8, 4, 20, 14))
    drawing.add_outline(5, (0, 20, 9, 30))
    drawing.add_outline(0, (8, 4, 12, 14))
    masks = drawing.masks()
    assert {frame: np.bincount(mask.ravel()).tolist()[1:] for frame, mask in masks.items()} == {
        0: [80, 0, 40],
        5: [0, 90],
    }
    assert drawing.describe() == 'Objects: 1 (frame 0), 2 (frame 5), 3 (frame 0)'
    drawing.add_outline(0, (8, 4, 20, 14))
    with pytest.raises(ValueError, match='later objects cover object 1 in frame 0'):
        drawing.masks()
    drawing.undo()
    drawing.click(0, (1, 1), POLYGON)
    drawing.undo()
    assert len(drawing.objects) == 3 and not drawing.corners


def test_the_picture_shows_objects_and_corners() -> None:
    drawing, frame = Drawing(SIZE), np.full((*SIZE, 3), 100, np.uint8)
    np.testing.assert_array_equal(drawing.picture(0, frame), frame)
    drawing.add_outline(0, (8, 4, 20, 14))
    changed = (drawing.picture(0, frame) != frame).any(axis=2)
    np.testing.assert_array_equal(changed, drawing.masks()[0] == 1)
    np.testing.assert_array_equal(drawing.picture(1, frame), frame)
    drawing.click(1, (30, 20), POLYGON)
    drawn = drawing.picture(1, frame)
    assert (drawn[20, 30] != 100).any() and (drawn[:10] == 100).all()
