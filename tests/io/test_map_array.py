"""Maps of videos on disk: which map a frame has, and what is said where there is none."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsigma.io.frame_array import write_frame_array
from mmsigma.io.map_array import MAPS_DESCRIPTION, MapFolder, map_file

MAPS = np.arange(4, dtype=np.float16)[:, None, None, None] * np.ones((1, 2, 3, 5), np.float16)


@pytest.fixture
def folder(tmp_path: Path) -> MapFolder:
    """Maps 0 to 3 of frames 0, 4, 8 and 12 of a video."""
    (tmp_path / MAPS_DESCRIPTION).write_text(json.dumps(dict(every=4, channels=5)))
    path = map_file(tmp_path, 'data', 'data/a/b.mp4')
    path.parent.mkdir()
    write_frame_array(path, MAPS, 4)
    return MapFolder(tmp_path, 'data')


def test_frames_have_the_next_map(folder: MapFolder) -> None:
    found = folder.read('data/a/b.mp4', np.array([0, 1, 2, 5, 6, 8, 13, 15]))
    assert (found.shape, found.dtype) == ((8, 2, 3, 5), np.float16)
    assert found[:, 1, 2, 4].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_what_is_missing_is_named(folder: MapFolder, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no maps of data/c.mp4 .*cache-teacher'):
        folder.read('data/c.mp4', np.array([0]))
    with pytest.raises(IndexError, match=r'frame 16 of data/a/b.mp4 is asked for: it has changed'):
        folder.read('data/a/b.mp4', np.array([3, 16]))
    with pytest.raises(ValueError, match='other/b.mp4 is not below the folder of videos data'):
        folder.read('other/b.mp4', np.array([0]))
    with pytest.raises(FileNotFoundError, match=MAPS_DESCRIPTION):
        MapFolder(tmp_path / 'a', 'data')
