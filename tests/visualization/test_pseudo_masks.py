"""Pictures of a round: frames, all clusters, and those that may be objects."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets import PseudoMaskRounds
from mmsigma.datasets.vos.pseudo_masks import PseudoMasks
from mmsigma.visualization.overlay import draw_masks
from mmsigma.visualization.pseudo_masks import draw_round
from tests.vos_data import SIZE, draw_video, write_frames


@pytest.fixture
def rounds(tmp_path: Path) -> PseudoMaskRounds:
    """Frames of which every second is clustered, into the quarters of the picture; 1 and 3 may be objects."""
    write_frames(tmp_path / 'ant', draw_video(12)[0], [f'{number:03d}' for number in range(12)])
    rounds = PseudoMaskRounds(tmp_path / 'rounds')
    labels = np.tile(np.array([[0, 1], [2, 3]], np.uint8), (6, 1, 1))
    labels[3] = 3
    rounds.write_video(2, str(tmp_path / 'ant'), PseudoMasks(labels, np.arange(0, 12, 2), np.array([1, 3])))
    return rounds


def test_three_rows_of_frames(rounds: PseudoMaskRounds, tmp_path: Path) -> None:
    video = str(tmp_path / 'ant')
    (path,) = draw_round(rounds, 2, [video], 'frames', columns=3, height=SIZE[0])
    assert path == rounds.path(2) / 'pictures' / f'{rounds.video_path(2, video).stem}.png'
    picture = cv2.imread(str(path))[..., ::-1]
    height, width = SIZE
    assert picture.shape == (3 * (height + 4) + 4, 3 * (width + 4) + 4, 3)
    quarters = np.zeros(SIZE, np.uint8)
    quarters[: height // 2, : width // 2], quarters[: height // 2, width // 2 :] = 1, 2
    quarters[height // 2 :, : width // 2], quarters[height // 2 :, width // 2 :] = 3, 4
    frames, _ = draw_video(12)
    for column, number in enumerate((0, 4, 10)):  # of the clustered ones the first, the middle and the last
        clusters = quarters
        objects = np.where((clusters == 2) | (clusters == 4), clusters, 0).astype(np.uint8)
        expected = [frames[number], draw_masks(frames[number], clusters), draw_masks(frames[number], objects)]
        for row, image in enumerate(expected):
            top, left = 4 + row * (height + 4), 4 + column * (width + 4)
            np.testing.assert_array_equal(picture[top : top + height, left : left + width], image)


def test_height_keeps_the_shape(rounds: PseudoMaskRounds, tmp_path: Path) -> None:
    (path,) = draw_round(rounds, 2, [str(tmp_path / 'ant')], 'frames', columns=2, height=18)
    assert cv2.imread(str(path)).shape == (3 * 22 + 4, 2 * (26 + 4) + 4, 3)


def test_short_videos_have_fewer_columns(rounds: PseudoMaskRounds, tmp_path: Path) -> None:
    (path,) = draw_round(rounds, 2, [str(tmp_path / 'ant')], 'frames', columns=50, height=SIZE[0])
    assert cv2.imread(str(path)).shape[1] == 6 * (SIZE[1] + 4) + 4


def test_videos_that_cannot_be_drawn_are_left_out(rounds: PseudoMaskRounds, tmp_path: Path) -> None:
    nothing = PseudoMasks(np.zeros((0, 1, 1), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
    rounds.write_video(2, 'short', nothing)
    gone = PseudoMasks(np.zeros((2, 1, 1), np.uint8), np.arange(2), np.array([0]))
    rounds.write_video(2, str(tmp_path / 'gone'), gone)
    videos = ['short', str(tmp_path / 'gone'), str(tmp_path / 'ant')]
    assert len(draw_round(rounds, 2, videos, 'frames')) == 1
    with pytest.raises(FileNotFoundError, match='round 2 has no pseudo masks of unknown'):
        draw_round(rounds, 2, ['unknown'], 'frames')
