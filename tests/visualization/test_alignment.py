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
    assert all(picture.shape == (48 + 22, 72 + 48, 3) and picture.dtype == np.uint8 for picture in pictures)
    assert [int(picture[20, 30, 0]) for picture in pictures] == [0, 10, 20]
    assert [int(picture[20, 100, 0]) for picture in pictures] == [100, 250, 150]
    captions = [picture[48:, :72] for picture in pictures]
    assert all((caption < 128).any() and (caption == 255).any() for caption in captions)
    assert (captions[0] != captions[1]).any()  # the time
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
    assert (axis.get_xlabel(), axis.get_ylabel()) == ('frame of yours', 'frame of mine') and axis.yaxis_inverted()
    levels = [int(small.images[0].get_array()[0, 0, 0]) for small in figures[0].axes[2:]]
    assert levels == [10, 20, 30, 10, 20] and len(figures[1].axes) == 2


def test_the_largest_anomaly_is_marked(tmp_path: Path, figures: list[Any]) -> None:
    draw_anomaly([0, 0.5, 2, 1], tmp_path / 'curve.png', times=np.arange(4) / 4, name='mine')
    curve, mark = figures[0].axes[0].lines
    np.testing.assert_array_equal(curve.get_xydata(), [[0, 0], [0.25, 0.5], [0.5, 2], [0.75, 1]])
    np.testing.assert_array_equal(mark.get_xydata(), [[0.5, 2]])
    assert mark.get_label() == 'frame 2, 0.50 s' and cv2.imread(str(tmp_path / 'curve.png')) is not None
    with pytest.raises(ValueError, match='there is no frame to draw'):
        draw_anomaly([], tmp_path / 'none.png')
