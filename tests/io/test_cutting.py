"""Parts of videos between two times."""

from pathlib import Path

import numpy as np
import pytest

from mmsigma.io.cutting import cut_video
from mmsigma.io.video import FrameReader, frame_times, read_frames
from tests.datasets.clips import STEP, index_of, write_video
from tests.io.odd_videos import turn


def indices(path: Path) -> list[int]:
    return [index_of(frame) for frame in FrameReader(path)]


@pytest.mark.parametrize(('start', 'end', 'expected'), [(0.0, 0.5, range(5)), (1.1, 1.9, range(11, 19))])
def test_frames_between_two_times(tmp_path: Path, start: float, end: float, expected: range) -> None:
    """10 frames per second, key frames every 8 and B-frames."""
    source = write_video(tmp_path / 'a.mp4')
    cut_video(source, tmp_path / 'cuts' / 'b.mp4', start, end)
    assert indices(tmp_path / 'cuts' / 'b.mp4') == list(expected)
    assert FrameReader(tmp_path / 'cuts' / 'b.mp4').fps == 10


def test_reduced(tmp_path: Path) -> None:
    source = write_video(tmp_path / 'a.mp4')
    for short_side, shape in ((24, (24, 32)), (25, (24, 34)), (480, (48, 64))):
        cut_video(source, tmp_path / 'b.mp4', 0, 1, short_side=short_side)
        assert FrameReader(tmp_path / 'b.mp4').read(0).shape[:2] == shape


def test_another_rate_and_size(tmp_path: Path) -> None:
    """Of 10 frames a second, the one that is shown; nothing is made up after the end."""
    source, cut = write_video(tmp_path / 'a.mp4', 20), tmp_path / 'b.mp4'
    cut_video(source, cut, 0.2, 0.6, fps=25, size=(128, 96))
    assert indices(cut) == [2, 2, 2, 3, 3, 4, 4, 4, 5, 5] and FrameReader(cut).read(0).shape == (96, 128, 3)
    assert FrameReader(cut).fps == 25
    cut_video(source, cut, 1.0, 1.5, fps=5)
    assert indices(cut) == [10, 12, 14]
    cut_video(source, cut, 1.8, 9, fps=25)
    assert indices(cut) == [18, 18, 18, 19, 19]


def test_what_cannot_be_cut(tmp_path: Path) -> None:
    source = write_video(tmp_path / 'a.mp4')
    with pytest.raises(ValueError, match='there is no frame to write to'):
        cut_video(source, tmp_path / 'b.mp4', 7, 8)
    source.write_bytes(b'no video')
    with pytest.raises(OSError, match=r'a\.mp4 cannot be read from 0\.00 to 1\.00 s'):
        cut_video(source, tmp_path / 'b.mp4', 0, 1)
    assert not (tmp_path / 'b.mp4').exists()


@pytest.mark.parametrize(('start', 'end'), [(0.0, 1.0001), (0.85, 2.0), (2.5, 9)])
@pytest.mark.parametrize('name', ['rotated.mp4', 'stream.ts'])
def test_frames_are_those_of_reading(tmp_path: Path, name: str, start: float, end: float) -> None:
    """Upright, also of a transport stream, whose times do not begin at 0; decoded in a process of its own."""
    source = write_video(tmp_path / name)
    if source.suffix == '.mp4':
        turn(source, (0, 1, -1, 0))
    times = frame_times(source)
    (numbers,) = np.nonzero((times >= start - 1e-6) & (times < end - 1e-6))
    cut_video(source, tmp_path / 'b.mp4', start, end)
    expected, found = read_frames(source, numbers.tolist()), read_frames(tmp_path / 'b.mp4')
    assert len(found) and found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < STEP / 2


def test_parts_of_long_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_video(tmp_path / 'a.mp4')
    monkeypatch.setattr('mmsigma.io.cutting._PART', 3 * 48 * 64 * 3)
    cut_video(source, tmp_path / 'b.mp4', 0.1, 2.6)
    assert indices(tmp_path / 'b.mp4') == list(range(1, 26))
    cut_video(source, tmp_path / 'b.mp4', 0.1, 1.0, fps=20)
    assert indices(tmp_path / 'b.mp4') == [number for number in range(1, 10) for _ in range(2)]
