"""Pictures of alignments, anomalies and activations."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mmsigma.io.video import FrameReader
from mmsigma.visualization import alignment
from mmsigma.visualization.alignment import draw_alignment, draw_anomaly, pick_frames, side_by_side
from tests.vos_data import write_frames


def shades(folder: Path, levels: list[int], size: tuple[int, int] = (24, 36)) -> FrameReader:
    """A video of grey frames, by whose shade they can be told apart."""
    frames = np.stack([np.full((*size, 3), level, np.uint8) for level in levels])
    write_frames(folder, frames, [str(number) for number in range(len(levels))])
    return FrameReader(folder, fps=10)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that were saved, which are still."""
    saved: list[Any] = []
    save = alignment._save
    monkeypatch.setattr(alignment, '_save', lambda figure, out: saved.append(figure) or save(figure, out))
    return saved


def test_frames_that_belong_together_are_side_by_side(tmp_path: Path) -> None:
    first, second = shades(tmp_path / 'a', [0, 10, 20]), shades(tmp_path / 'b', [100, 150, 200, 250], (20, 20))
    pictures = list(side_by_side(first, second, [0, 3, 1], height=48))
    assert all(picture.shape == (48 + 24, 72 + 48, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert [int(picture[20, 30, 0]) for picture in pictures] == [0, 10, 20]
    assert [int(picture[20, 100, 0]) for picture in pictures] == [100, 250, 150]
    captions = [picture[48:66, :72] for picture in pictures]
    assert all((caption < 128).any() and (caption == 255).any() for caption in captions)
    assert (captions[0] != captions[1]).any()  # the time
    passed = [[int((bar[-1, :, 0] == 31).sum()) for bar in (picture[:, :72], picture[:, 72:])] for picture in pictures]
    assert passed == [[0, 0], [36, 48], [72, 16]]  # of 72 and 48 pixels
    with pytest.raises(ValueError, match='has 3 frames, but there are 2 matches'):
        next(side_by_side(first, second, [0, 1]))


def test_each_frame_of_the_second_is_read_once_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, read = shades(tmp_path / 'a', [0] * 6), shades(tmp_path / 'b', [100, 200]), []
    original = second.read
    monkeypatch.setattr(second, 'read', lambda number: read.append(number) or original(number))
    assert len(list(side_by_side(first, second, [0, 0, 0, 1, 1, 1]))) == 6
    assert read == [0, 0, 1]  # the first one is for the size


def test_frames_are_picked_from_equal_parts(tmp_path: Path) -> None:
    video = shades(tmp_path / 'a', list(range(0, 200, 20)))
    assert [int(frame[0, 0, 0]) for frame in pick_frames(video, 5)] == [20, 60, 100, 140, 180]
    assert [int(frame[0, 0, 0]) for frame in pick_frames(shades(tmp_path / 'b', [7]), 3)] == [7, 7, 7]


def test_table_path_and_frames_are_drawn(tmp_path: Path, figures: list[Any]) -> None:
    cost, path = torch.rand(4, 6), (torch.tensor([0, 1, 2, 3, 3, 3]), torch.tensor([0, 1, 2, 3, 4, 5]))
    pictures = [np.full((9, 16, 3), level, np.uint8) for level in (10, 20, 30)]
    draw_alignment(cost, path, tmp_path / 'out' / 'all.png', names=('mine', 'yours'), frames=(pictures, pictures[:2]))
    draw_alignment(cost, path, tmp_path / 'table.png')
    assert all(cv2.imread(str(file)).shape[0] > 300 for file in (tmp_path / 'out' / 'all.png', tmp_path / 'table.png'))
    axis = figures[0].axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), cost)
    np.testing.assert_array_equal(axis.lines[0].get_xydata(), torch.stack(path[::-1], dim=1))
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('frames of yours', 'frames of mine') and axis.yaxis_inverted()
    levels = [int(small.get_array()[0, 0, 0]) for strip in figures[0].axes[2:] for small in strip.images]
    assert levels == [10, 20, 30, 10, 20] and len(figures[1].axes) == 2


def test_frames_line_up_with_the_axes_and_keep_their_shape(tmp_path: Path, figures: list[Any]) -> None:
    cost, path = torch.rand(40, 90), (torch.arange(40), torch.arange(40))
    pictures = [np.zeros((9, 16, 3), np.uint8)] * 3
    draw_alignment(cost, path, tmp_path / 'a.png', frames=(pictures, pictures))
    matrix, _, left, below = figures[0].axes

    def centre(axis: Any, small: Any) -> np.ndarray:
        x0, x1, y0, y1 = small.get_extent()
        corners = axis.transData.transform([(x0, y0), (x1, y1)])
        width, height = corners[1] - corners[0]
        assert width / height == pytest.approx(16 / 9)
        return corners.mean(axis=0)

    for number in range(3):
        row, column = (int((number + 0.5) * length / 3) for length in (40, 90))  # as pick_frames chooses
        x, y = matrix.transData.transform((column, row))
        assert centre(below, below.images[number])[0] == pytest.approx(x)
        assert centre(left, left.images[number])[1] == pytest.approx(y)


def test_axes_are_in_seconds_whatever_the_frame_rates(tmp_path: Path, figures: list[Any]) -> None:
    steady, uneven = np.arange(41) / 10, np.concatenate([np.arange(20) / 20, 1 + np.arange(21) / 5])  # 1 s and 4 s
    draw_alignment(torch.rand(41, 41), (torch.arange(41),) * 2, tmp_path / 'a.png', times=(steady, uneven))
    axis = figures[0].axes[0]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('seconds of second video', 'seconds of first video')
    for ticks, labels, times in (
        (axis.get_yticks(), axis.get_yticklabels(), steady),
        (axis.get_xticks(), axis.get_xticklabels(), uneven),
    ):
        found = np.interp(ticks, np.arange(41), times)
        np.testing.assert_allclose(found, [float(label.get_text()) for label in labels])
        assert len(found) >= 5 and found[0] == 0 and times[-1] - found[-1] < np.diff(found)[0]


def test_the_largest_anomaly_is_marked(tmp_path: Path, figures: list[Any]) -> None:
    draw_anomaly([0, 0.5, 2, 1], tmp_path / 'curve.png', times=np.arange(4) / 4, name='mine')
    curve, mark = figures[0].axes[0].lines
    np.testing.assert_array_equal(curve.get_xydata(), [[0, 0], [0.25, 0.5], [0.5, 2], [0.75, 1]])
    np.testing.assert_array_equal(mark.get_xydata(), [[0.5, 2]])
    assert mark.get_label() == 'frame 2, 0.50 s' and cv2.imread(str(tmp_path / 'curve.png')) is not None
    with pytest.raises(ValueError, match='there is no frame to draw'):
        draw_anomaly([], tmp_path / 'none.png')
