"""Sizes of reduced frames, and their pixels."""

import numpy as np

from mmsigma.apis.frame_reduction import reduce_frame, reduced_size


def test_only_large_frames_are_reduced() -> None:
    assert reduced_size((1080, 1920), 480) == (480, 853)
    assert reduced_size((1920, 1080), 480) == (853, 480)
    assert reduced_size((480, 2000), 480) == (480, 2000)
    assert reduced_size((100, 90), 480) == reduced_size((100, 90), None) == (100, 90)
    assert reduced_size((1000, 1), 1) == (1000, 1)


def test_pixels_are_means() -> None:
    frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    means = frame.reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(reduce_frame(frame, (2, 3)), means, atol=0.5)
    assert reduce_frame(frame, (4, 6)) is frame
