"""Joints tracked through whole videos, and places between pixels and cells."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.datasets import JHMDBDataset
from mmsigma.models import KeypointPropagation
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from tests.vos_data import make_jhmdb


def by_colour(size: tuple[int, int] | None = (72, 104), **settings) -> KeypointPropagation:
    return KeypointPropagation(
        dict(type='ColourEncoder', stride=4),
        dict(mean=(0, 0, 0), std=(255, 255, 255), size=size),
        dict(similarity='euclidean', temperature=0.01, num_context=3, k=3, radius=4),
        **settings,
    )


class MovingTexture:
    """Spots that move to the right by a cell, 2 pixels, a frame."""

    frames = range(5)

    @staticmethod
    def read_frame(number: int) -> np.ndarray:
        spots = np.random.default_rng(0).integers(0, 255, (18, 26, 3), dtype=np.uint8)
        return np.roll(spots.repeat(2, axis=0).repeat(2, axis=1), 2 * number, axis=1)

    @staticmethod
    def read_joints() -> np.ndarray:
        first = np.array([[10, 6], [20, 20], [5, 31], [30.5, 12.4]])
        return np.stack([first + (2 * number, 0) for number in range(5)])


def test_follows_joints() -> None:
    true, sample = MovingTexture.read_joints(), BaseDataElement()
    (predicted,) = by_colour(k=1)([MovingTexture()], [sample], mode='predict')
    found = predicted.pred_joints
    assert found.shape == (5, 4, 2) and found.dtype == np.float64
    # labels are at whole cells, that is, at every other pixel
    np.testing.assert_allclose(found[0], [[10, 6], [20, 20], [6, 32], [30, 12]])
    np.testing.assert_allclose(found - found[0], true - true[0])
    # of three cells, the second and third best weigh 0.135 each, and pull to one side or the other
    first = next(by_colour().track(MovingTexture()))
    assert 0 < np.abs(first - found[0]).max() < 0.5


@pytest.mark.parametrize('size', [(72, 104), None])
def test_places_go_there_and_back(size: tuple[int, int] | None) -> None:
    geometry = FrameGeometry(8, size=size)
    points = np.array([[0, 0], [51, 35], [20.5, 7]])
    cells = geometry.points_in_cells(points, (36, 52))
    np.testing.assert_allclose(geometry.points_in_pixels(cells, (36, 52)), points)
    rows, columns = geometry.grid((36, 52))
    assert (cells >= 0).all() and (cells < (columns, rows)).all()
    if size:  # as in CRW: by the ratio of the sizes
        np.testing.assert_allclose(cells, points * (13 / 52, 9 / 36))
    else:  # 2 pixels are added left and above
        np.testing.assert_allclose(cells, (points + 2) / 8)


def test_a_joint_outside_is_lost(tmp_path: Path) -> None:
    (sample,) = JHMDBDataset(str(make_jhmdb(tmp_path, {'walk/ant': 3})))

    class Beside:
        frames, read_frame = sample['inputs'].frames, sample['inputs'].read_frame

        @staticmethod
        def read_joints() -> np.ndarray:
            joints = sample['inputs'].read_joints()
            joints[:, 4] = 500
            return joints

    for size in ((72, 104), None):
        found = np.stack(list(by_colour(size).track(Beside())))
        assert (found[:, 4] == -1).all() and (np.delete(found, 4, axis=1) >= 0).all()


def test_maps_and_bad_input() -> None:
    assert by_colour()(torch.rand(2, 3, 8, 12)).shape == (2, 3, 2, 3)
    with pytest.raises(ValueError, match='sigma and k must be positive, got 0 and 3'):
        by_colour(sigma=0)
    with pytest.raises(ValueError, match="mode must be 'predict' or 'tensor'"):
        by_colour()([], [BaseDataElement()], mode='loss')
