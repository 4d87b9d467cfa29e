"""Pictures of masked clips, prototypes and curves, pixel by pixel."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmsigma.visualization.masked_video import (
    draw_curves,
    grey_out,
    mosaic,
    tube_map,
    write_picture,
)

GRID = (2, 2, 3)  # tubes of 2 frames and 8 x 8 pixels
SIZE = (16, 24)


def read(path: Path) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def clip(seed: int = 0) -> torch.Tensor:
    return torch.randint(256, (3, 4, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def frame(video: torch.Tensor, time: int) -> np.ndarray:
    return video[:, time].permute(1, 2, 0).numpy()


def test_colours_and_errors_of_writing(tmp_path: Path) -> None:
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    write_picture(tmp_path / 'new' / 'a.png', image)
    np.testing.assert_array_equal(read(tmp_path / 'new' / 'a.png'), image)
    with pytest.raises(ValueError, match=r'a\.nothing must end in one of \.bmp'):
        write_picture(tmp_path / 'a.nothing', image)
    assert [path.name for path in tmp_path.iterdir()] == ['new']


class TestMosaic:
    def test_gaps_are_white_and_rows_may_be_short(self) -> None:
        images = [np.full((3, 5, 3), level, np.uint8) for level in (10, 20, 30)]
        drawn = mosaic([images[:2], images[2:]])
        expected = np.full((2 * 7 + 4, 2 * 9 + 4, 3), 255, np.uint8)
        expected[4:7, 4:9], expected[4:7, 13:18], expected[11:14, 4:9] = 10, 20, 30
        np.testing.assert_array_equal(drawn, expected)


def test_values_of_tubes_cover_their_pixels() -> None:
    values = torch.arange(12.0)
    maps = tube_map(values, GRID, SIZE)
    expected = values.view(GRID).repeat_interleave(8, 1).repeat_interleave(8, 2)
    np.testing.assert_array_equal(maps, expected)


def test_masked_tubes_are_grey_in_all_their_frames() -> None:
    video, mask = clip(), torch.tensor([0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0], dtype=torch.bool)
    expected = video.permute(1, 2, 3, 0).numpy().copy()
    expected[:2, :8, 16:] = 128
    expected[2:, :8, :8] = 128
    np.testing.assert_array_equal(grey_out(video, mask, GRID), expected)


def test_a_panel_for_losses_and_one_for_each_sign_of_collapse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import pyplot

    shown = {}

    def keep(figure: object) -> None:
        for axis in figure.axes:
            smooth = {line.get_label(): line.get_xydata() for line in axis.lines if line.get_label()[0] != '_'}
            shown[tuple(smooth)] = smooth

    monkeypatch.setattr(pyplot, 'close', keep)
    loss, used = np.random.default_rng(0).random(120), np.arange(40.0)
    scalars = dict(loss=loss, loss_pred=2 * loss, used_prototypes_1=used, lr=loss)
    draw_curves(scalars, tmp_path / 'curves.png')
    assert set(shown) == {('loss', 'loss_pred'), ('used_prototypes_1',)}
    curve = shown['loss', 'loss_pred']['loss']
    np.testing.assert_allclose(curve, [(i, loss[i - 1 : i + 1].mean()) for i in range(1, 120)])  # 120 / 50: of two
    np.testing.assert_allclose(shown['used_prototypes_1',]['used_prototypes_1'][:, 1], used)
    assert read(tmp_path / 'curves.png').std() > 5
