"""Bars of classes."""

import numpy as np

from mmsigma.visualization.labels import draw_scores


def test_bars_are_as_long_as_scores() -> None:
    picture = draw_scores(['dig', 'é' * 50], [1.0, 0.25])
    assert picture.shape == (48, 620, 3)
    lengths = [(picture[row] == (70, 130, 180)).all(axis=1).sum() for row in (6, 30)]
    np.testing.assert_array_equal(lengths, [300, 75])
