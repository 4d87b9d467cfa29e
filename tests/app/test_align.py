"""The tab that aligns, without a browser."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmsigma.apis.video_aligner import EmbeddedVideo, align
from mmsigma.app.align import AlignTab, Pair, read_labels
from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import Sessions
from mmsigma.app.settings import Models
from mmsigma.io.video import FrameReader
from tests.app.conftest import Bar


@pytest.fixture
def tab(app_models: Models, sessions: Sessions, app_samples: list[SampleVideo]) -> AlignTab:
    return AlignTab(app_models, sessions, (app_samples[0], app_samples[4]))


def test_two_videos(tab: AlignTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar) -> None:
    first, second = (str(app_samples[number].video) for number in (0, 4))
    played, costs, pair, one, other, *shown, times = tab.run(first, second, request_of, bar)
    assert len(FrameReader(played)) == 8 and Path(costs).is_file()
    assert (one.maximum, other.maximum) == (7, 11) and times.startswith('0.00 s of the first video matches 0.00 s')
    assert [picture.shape for picture in shown] == [(240, 347, 3)] * 2
    parts = ['Reading the first video', 'Reading the second video', 'Aligning', 'Drawing']
    assert list(dict.fromkeys(about for _, about in bar.seen)) == parts
    # scrubbing follows the path in both ways
    path = set(zip(*(frames.tolist() for frames in pair.aligned.pairs()), strict=True))
    for number in range(8):
        assert (number, tab.scrub_first(pair, number)[2]) in path
    for number in range(12):
        assert (tab.scrub_second(pair, number)[2], number) in path


def test_scrubbing_shows_the_matching_frames() -> None:
    """The second video is the first at half the pace; the shade of a frame tells its number."""
    import cv2

    def video(name: str, length: int) -> tuple[EmbeddedVideo, list[bytes]]:
        angles = torch.linspace(0, 1.5, length, dtype=torch.float64)
        frames = [np.full((8, 8, 3), round(200 * number / (length - 1)), np.uint8) for number in range(length)]
        coded = [cv2.imencode('.jpg', frame)[1].tobytes() for frame in frames]
        return EmbeddedVideo(name, torch.stack([angles.cos(), angles.sin()], dim=1), 10.0), coded

    (one, frames), (other, slow) = video('one', 6), video('other', 11)
    aligned = align(one, other)
    from mmsigma.app.align import _ordered, first_matches

    pair = Pair(aligned, (frames, slow), (aligned.matches(), first_matches(*_ordered(*aligned.pairs()))))
    for number in range(6):
        shown, matched, _, _ = pair.show(0, number)
        assert abs(int(shown[0, 0, 0]) - 40 * number) <= 2 and abs(int(matched[0, 0, 0]) - 40 * number) <= 22
    shown, matched, place, text = pair.show(1, 10)
    assert place == 5 and abs(int(shown[0, 0, 0]) - 200) <= 2 and abs(int(matched[0, 0, 0]) - 200) <= 2
    assert text == '0.50 s of the first video matches 1.00 s of the second'


def test_labels_are_carried(tab: AlignTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar) -> None:
    video = str(app_samples[2].video)
    pair = tab.run(video, video, request_of, bar)[2]  # of itself, so that labels stay
    table, file = tab.carry(pair, str(app_samples[2].phases), request_of)
    assert table == [['l0', '0.00', '0.50'], ['l1', '0.75', '1.25'], ['l2', '1.50', '2.00'], ['l3', '2.25', '2.25']]
    rows = list(csv.DictReader(Path(file.value['path']).open()))
    assert [row['label'] for row in rows] == [f'l{number // 3}' for number in range(10)]
    assert rows[3] == dict(frame='3', seconds='0.750', label='l1')


def test_labels_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / 'labels.csv'
    path.write_text('frame,label\n1,b\n0,a\n')
    assert read_labels(path, 2) == ['a', 'b']
    for text, message in (
        ('frame,phase\n0,a\n', 'no "label"'),
        ('label\na\n', 'has 1 rows, but the second video has 2 frames'),
        ('frame,label\n1,a\n1,b\n', 'the column "frame" is not the numbers 0 to 1'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_labels(path, 2)


def test_what_is_missing(tab: AlignTab, app_samples: list[SampleVideo], request_of: Any, bar: Bar) -> None:
    with pytest.raises(ValueError, match='choose the second video first'):
        tab.run(str(app_samples[0].video), None, request_of, bar)
    for call in (lambda: tab.scrub_first(None, 0), lambda: tab.carry(None, None, request_of)):
        with pytest.raises(ValueError, match='align two videos first'):
            call()
