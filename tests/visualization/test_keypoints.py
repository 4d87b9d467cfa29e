"""Points drawn on frames."""

import numpy as np

from mmsigma.io.masks import davis_palette
from mmsigma.visualization.keypoints import draw_points


def test_points_have_colours_of_their_own() -> None:
    frame = np.zeros((40, 60, 3), np.uint8)
    picture = draw_points(frame, np.array([[10.4, 20], [-1, -1], [50, 8]]))
    palette = davis_palette()
    np.testing.assert_array_equal(picture[20, 10], palette[1])
    np.testing.assert_array_equal(picture[8, 50], palette[3])
    assert not frame.any() and picture[:, 20:40].max() == 0
    assert picture[20, 13].min() > 100  # white rim
