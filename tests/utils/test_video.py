"""Writing video files."""

from pathlib import Path

import cv2
import decord
import numpy as np
import pytest

from mmsigma.utils.video import write_mp4


def test_frames_and_rate_come_back(tmp_path: Path) -> None:
    colours = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200)], np.uint8)
    frames = np.broadcast_to(colours[:, None, None], (3, 48, 64, 3))
    write_mp4(tmp_path / 'new' / 'a.mp4', frames, fps=5)
    reader = decord.VideoReader(str(tmp_path / 'new' / 'a.mp4'))
    assert reader.get_avg_fps() == 5
    np.testing.assert_allclose(reader[:].asnumpy().mean((1, 2)), colours, atol=12)


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'a.mp4'
    path.write_text('old')
    monkeypatch.setattr(cv2.VideoWriter, 'fourcc', lambda *letters: 0)
    with pytest.raises(OSError, match='a.mp4'):
        write_mp4(path, np.zeros((3, 48, 64, 3), np.uint8), fps=5)
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]
