"""Where images and texts of a labelled grid are."""

import numpy as np
import pytest

from mmsigma.visualization.labelled_grid import GAP, LINE, Row, labelled_grid, text_line


def image(level: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def test_rows_of_any_sizes_below_their_titles() -> None:
    rows = [Row('one', [image(10), image(20)], ['a', 'b']), Row('two', [image(30, 40, 50)])]
    drawn = labelled_grid(rows, 'heading', min_side=1)
    top = LINE + GAP
    assert drawn.shape == (top + LINE + 20 + LINE + GAP + LINE + 40 + GAP, 2 * (30 + GAP) + GAP, 3)
    first = drawn[top + LINE : top + LINE + 20]
    assert (first[:, GAP : GAP + 30] == 10).all() and (first[:, 2 * GAP + 30 : 2 * GAP + 60] == 20).all()
    second = drawn[-GAP - 40 : -GAP, GAP : GAP + 50]
    assert (second == 30).all()
    for part in (drawn[:LINE], drawn[top : top + LINE], drawn[top + LINE + 20 : top + LINE + 20 + LINE]):
        assert part.min() < 128 and part.max() == 255


def test_small_images_are_enlarged_row_by_row() -> None:
    rows = [Row('one', [image(10)]), Row('two', [image(30, 70, 50)])]
    drawn = labelled_grid(rows, min_side=50)
    assert (drawn[GAP + LINE : GAP + LINE + 60, GAP : GAP + 90] == 10).all()  # three times
    assert drawn.shape[0] == GAP + 2 * (LINE + GAP) + 60 + 70


def test_captions_may_have_two_lines() -> None:
    one, two = (labelled_grid([Row('', [image(10)], [text])], min_side=1) for text in ('number', 'number\nphase'))
    assert two.shape[0] == one.shape[0] + LINE
    end = one.shape[0] - GAP
    assert np.array_equal(two[:end], one[:end]) and two[end : end + LINE].min() < 128


def test_text_that_does_not_fit_is_cut() -> None:
    short, long = text_line('a name', 400), text_line('a name ' * 50, 400)
    assert short.shape == long.shape == (LINE, 400, 3)
    assert (short[:, 60:] == 255).all() and (long[:, -4:] == 255).all() and long[:, 300:390].min() < 128


def test_mistakes() -> None:
    with pytest.raises(ValueError, match="row 'x' has 1 captions of 2 images"):
        labelled_grid([Row('x', [image(1), image(2)], ['a'])])
    with pytest.raises(ValueError, match="images of row 'x' differ in size"):
        labelled_grid([Row('x', [image(1), image(2, 3, 4)])])
    with pytest.raises(ValueError, match='no image'):
        labelled_grid([Row('x', [])])
