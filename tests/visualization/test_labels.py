"""Bars of classes."""

import numpy as np

from mmsigma.visualization.labels import draw_scores


def test_bars_are_as_long_as_scores() -> None:
    picture = draw_scores(['dig', 'é' * 50], [1.0, 0.25])
    assert picture.shape == (48, 620, 3)
    lengths = [(picture[row] == (70, 130, 180)).all(axis=1).sum() for row in (6, 30)]
    np.testing.assert_array_equal(lengths, [300, 75])


def test_frames_are_above_the_bars() -> None:
    frames = np.zeros((4, 50, 100, 3), np.uint8)
    frames[..., 0] = 200
    picture, bars = draw_scores(['dig'], [1.0], frames), draw_scores(['dig'], [1.0])
    assert picture.shape == (24 + round(58 * 620 / 420), 620, 3)
    np.testing.assert_array_equal(picture[-24:], bars)
    assert (picture[:-24] == (200, 0, 0)).all(axis=2).mean() > 0.8
