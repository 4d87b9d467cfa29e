"""Tints and outlines of objects on their frames."""

import numpy as np
import pytest

from mmsigma.io.masks import davis_palette
from mmsigma.visualization.overlay import draw_masks
from tests.vos_data import draw_video


@pytest.fixture
def frame() -> np.ndarray:
    return np.full((12, 14, 3), 100, np.uint8)


@pytest.fixture
def mask() -> np.ndarray:
    """Object 2, a square of 6 pixels."""
    mask = np.zeros((12, 14), np.uint8)
    mask[3:9, 4:10] = 2
    return mask


@pytest.mark.parametrize('opacity', [0.0, 0.5, 1.0])
def test_inside_tinted_and_edge_white(frame: np.ndarray, mask: np.ndarray, opacity: float) -> None:
    drawn = draw_masks(frame, mask, opacity)
    colour = np.round((1 - opacity) * 100 + opacity * davis_palette()[2])
    assert (drawn[4:8, 5:9] == colour).all()
    edge = mask == 2
    edge[4:8, 5:9] = False
    assert (drawn[edge] == 255).all() and (drawn[mask == 0] == 100).all()
    assert (frame == 100).all()  # drawn on a copy


def test_neighbours_are_told_apart(frame: np.ndarray) -> None:
    mask = np.ones((12, 14), np.uint8)
    mask[:, 7:] = 3
    palette = np.arange(768, dtype=np.uint16).reshape(256, 3).astype(np.uint8)
    drawn = draw_masks(frame, mask, 1.0, palette)
    assert (drawn[1:-1, 1:6] == [3, 4, 5]).all() and (drawn[1:-1, 8:-1] == [9, 10, 11]).all()
    assert (drawn[1:-1, 6:8] == 255).all()


def test_background_and_void_are_left_alone() -> None:
    frames, masks = draw_video(1)
    drawn = draw_masks(frames[0], masks[0])
    np.testing.assert_array_equal(drawn[masks[0] == 0], frames[0][masks[0] == 0])
    assert (drawn[masks[0] == 1] != frames[0][masks[0] == 1]).any(axis=-1).mean() > 0.9
    void = np.where(masks[0] == 0, 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(draw_masks(frames[0], void), frames[0])


def test_mask_of_another_size(frame: np.ndarray, mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r'the mask has the size \(10, 14\), but the frame has \(12, 14\)'):
        draw_masks(frame, mask[:10])
