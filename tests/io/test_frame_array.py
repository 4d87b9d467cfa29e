"""Decoded frames in files of numpy: what is read is what was written, and anything else is refused."""

from pathlib import Path

import numpy as np
import pytest

from mmsigma.io.decoders import open_video
from mmsigma.io.frame_array import FrameArray, write_frame_array
from mmsigma.io.video_file import UnreadableVideoError


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 6, 8, 3), dtype=np.uint8)


def test_frames_are_read_by_number(frames: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / 'frames.npy'
    write_frame_array(path, iter(frames), 5)
    reader = open_video(path)
    assert isinstance(reader, FrameArray) and len(reader) == 5
    np.testing.assert_array_equal(reader.read([4, 0, 4]), frames[[4, 0, 4]])
    assert reader.read([]) == []
    with pytest.raises(IndexError, match='has frames 0 to 4, but 3 to 5 are asked for'):
        reader.read([3, 5])
    reader.close()


@pytest.mark.parametrize(('count', 'message'), [(6, 'there are 5 frames, expected were 6'), (4, 'more frames.* 4')])
def test_other_numbers_of_frames_than_stated(frames: np.ndarray, tmp_path: Path, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_frame_array(tmp_path / 'frames.npy', iter(frames), count)
    assert not list(tmp_path.iterdir())


def test_no_frames_and_another_suffix(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='there are 0 frames, expected were 2'):
        write_frame_array(tmp_path / 'frames.npy', iter(()), 2)
    with pytest.raises(ValueError, match=r'must end in \.npy'):
        write_frame_array(tmp_path / 'frames.mp4', iter(()), 2)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (np.zeros(7, np.int64), r'it contains \(7,\), int64'),
        (np.zeros((2, 4, 4, 3), np.float32), 'float32'),
        (np.zeros((0, 4, 4, 3), np.uint8), r'\(0, 4, 4, 3\)'),
        (np.array([{}], dtype=object), 'not a file of numpy'),
    ],
)
def test_arrays_of_something_else(tmp_path: Path, content: np.ndarray, message: str) -> None:
    np.save(tmp_path / 'other.npy', content, allow_pickle=True)
    with pytest.raises(UnreadableVideoError, match=message):
        open_video(tmp_path / 'other.npy')


def test_truncated_file(frames: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / 'frames.npy'
    write_frame_array(path, iter(frames), 5)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UnreadableVideoError, match='not all of it'):
        open_video(path)
    path.write_bytes(b'')
    with pytest.raises(UnreadableVideoError, match='not a file of numpy'):
        open_video(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match='missing'):
        open_video(tmp_path / 'missing.npy')
