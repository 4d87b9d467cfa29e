"""Videos for a first try."""

from pathlib import Path

import numpy as np

from mmsigma.app.align import read_labels
from mmsigma.app.samples import make_samples
from mmsigma.io.video import FrameReader
from mmsigma.synthetic.demo_data import render_demo_video


def test_samples(tmp_path: Path) -> None:
    first, second = make_samples(tmp_path, 2)
    assert [first.video.name, second.video.name] == ['move_left_1.mp4', 'move_right_1.mp4']
    video = render_demo_video(0, label=0)
    assert len(FrameReader(first.video)) == len(video.frames)
    assert read_labels(first.phases, len(video.frames))[0] == 'setting_off'
    left, top, right, bottom = first.box
    rows, columns = np.nonzero(video.masks[0] == 1)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (top, bottom, left, right)
