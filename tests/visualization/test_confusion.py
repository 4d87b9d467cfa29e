"""Confusion matrices."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from mmsigma.visualization import fonts
from mmsigma.visualization.confusion import draw_confusion


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that were drawn."""
    found: list[Figure] = []
    monkeypatch.setattr(pyplot, 'close', found.append)
    return found


def test_shares_of_the_true_class(tmp_path: Path, figures: list[Figure]) -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 2]])
    draw_confusion(counts, tmp_path / 'new' / 'a.png', ['jump', 'run', 'sit'])
    axis = figures[0].axes[0]
    expected = [[75, 25, 0], [0, 0, 0], [50, 0, 50]]
    np.testing.assert_array_equal(axis.images[0].get_array(), expected)
    assert [label.get_text() for label in axis.get_yticklabels()] == ['jump', 'run', 'sit']
    assert [text.get_text() for text in axis.texts] == [str(value) for row in expected for value in row]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('predicted class', 'true class')
    assert (tmp_path / 'new' / 'a.png').stat().st_size > 1000


def test_many_classes_have_no_names(tmp_path: Path, figures: list[Figure]) -> None:
    draw_confusion(np.eye(50, dtype=int), tmp_path / 'a.png', [str(n) for n in range(50)])
    assert not figures[0].axes[0].texts
    with pytest.raises(ValueError, match=r'shape \(2, 3\) does not fit 2 names'):
        draw_confusion(np.zeros((2, 3), int), tmp_path / 'b.png', ['a', 'b'])


def test_names_that_no_font_has_keep_their_number(
    tmp_path: Path, figures: list[Figure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, '_installed', dict)
    draw_confusion(np.eye(2, dtype=int), tmp_path / 'a.png', ['été', '跑步'])
    assert [label.get_text() for label in figures[0].axes[0].get_xticklabels()] == ['été', '1 ??']
