"""Points of a user's own videos."""

from pathlib import Path

import numpy as np
import pytest

from mmsigma.apis import KeypointTracker
from mmsigma.apis.keypoint_tracker import load_points
from mmsigma.io.tables import read_csv

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
model = dict(
    type='KeypointPropagation',
    backbone=dict(type='ColourEncoder', stride=4),
    geometry=dict(mean=(0, 0, 0), std=(255, 255, 255), size=(72, 104)),
    propagator=dict(similarity='euclidean', temperature=0.01, num_context=3, k=3, radius=4),
    k=1,
)
weights_in_config = True
default_scope = 'mmsigma'
"""
SPOTS = np.random.default_rng(0).integers(0, 255, (18, 26, 3), dtype=np.uint8).repeat(2, axis=0).repeat(2, axis=1)
VIDEO = np.stack([np.roll(SPOTS, 2 * number, axis=1) for number in range(5)])
POINTS = np.array([[10.0, 6], [20, 20], [30.5, 12.4]])


@pytest.fixture
def track(tmp_path: Path) -> KeypointTracker:
    (tmp_path / 'config.py').write_text(CONFIG)
    return KeypointTracker(tmp_path / 'config.py', device='cpu')


def test_follows_what_moves(track: KeypointTracker) -> None:
    found = track(VIDEO, POINTS)
    np.testing.assert_array_equal(found.points[0], POINTS)
    cells = np.array([[10, 6], [20, 20], [30, 12]])  # of two pixels
    np.testing.assert_allclose(found.points[1:] - cells, np.stack([np.full((3, 2), (2 * n, 0)) for n in range(1, 5)]))
    assert found.caption == '3 points in 5 frames' and found.picture().shape == (84, 228, 3)


def test_lists_have_points_of_their_own(track: KeypointTracker) -> None:
    first, second = track([VIDEO, VIDEO[::-1].copy()], [POINTS[:1], POINTS])
    assert (first.points.shape, second.points.shape) == ((5, 1, 2), (5, 3, 2))
    with pytest.raises(ValueError, match='there are 2 videos: give a list of as many arrays'):
        track([VIDEO, VIDEO], POINTS)  # type: ignore[call-overload]


def test_files(track: KeypointTracker, tmp_path: Path) -> None:
    np.save(tmp_path / 'points.npy', POINTS)
    (tmp_path / 'points.csv').write_text('x,y\n10,6\n20,20\n30.5,12.4\n')
    for path in (tmp_path / 'points.npy', str(tmp_path / 'points.csv')):
        np.testing.assert_array_equal(load_points(path), POINTS)
    paths = track(VIDEO, tmp_path / 'points.csv').save(tmp_path / 'out')
    assert [path.name for path in paths] == ['points.npy', 'table.csv', 'picture.png']
    rows = [row for _, row in read_csv(paths[1])[1]]
    assert len(rows) == 15 and rows[3] == {'frame': '00001', 'point': '0', 'x': '12.000000', 'y': '6.000000'}


def test_what_are_no_points(track: KeypointTracker, tmp_path: Path) -> None:
    (tmp_path / 'other.csv').write_text('left,top\n1,2\n')
    with pytest.raises(ValueError, match=r'other\.csv are no points: a CSV has the columns x and y'):
        track(VIDEO, tmp_path / 'other.csv')
    (tmp_path / 'words.csv').write_text('x,y\na,b\n')
    (tmp_path / 'bad.npy').write_bytes(b'bad')
    for name in ('words.csv', 'bad.npy'):
        with pytest.raises(ValueError, match=f'{name} are no points'):
            track(VIDEO, tmp_path / name)
    for name in ('none.csv', 'none.npy'):
        with pytest.raises(FileNotFoundError, match=f'there is no file of points .*{name}'):
            track(VIDEO, tmp_path / name)
    for points in ([1.0, 2.0], np.zeros((0, 2)), [[np.nan, 1]], np.zeros((2, 3))):
        with pytest.raises(ValueError, match=r'points must be finite numbers of the shape \(J, 2\)'):
            track(VIDEO, points)
    with pytest.raises(ValueError, match=r'frames of 52 x 36 pixels, but a point is at \[52\.0, 3\.0\]'):
        track(VIDEO, [(1, 2), (52, 3)])
    with pytest.raises(ValueError, match='use configs/vos/r18_jhmdb.py or a config like it'):
        KeypointTracker(ROOT / 'configs/vos/colour.py')


def test_the_memory_is_of_the_precision_asked_for(tmp_path: Path) -> None:
    (tmp_path / 'config.py').write_text(CONFIG)
    track = KeypointTracker(tmp_path / 'config.py', device='cpu', precision='bfloat16')
    picture = track.model.geometry.prepare(VIDEO[0])
    assert str(track.model.encode(picture).dtype) == 'torch.bfloat16'
    found = track(VIDEO, POINTS)
    assert found.points.dtype == np.float64 and np.abs(found.points[-1] - (POINTS + (8, 0))).max() < 8
