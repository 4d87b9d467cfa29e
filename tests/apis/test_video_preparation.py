"""Videos re-encoded for training: the same frames, small, from many key frames on; lists, failures, going on."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mmsigma.apis.data_check import find_sources
from mmsigma.apis.video_preparation import Form, prepare_video, prepare_videos, write_prepared_lists
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.io.decoders import open_video
from mmsigma.io.video import FrameReader, frame_times, read_frames, write_playable
from mmsigma.io.video_file import VideoFile
from tests.datasets.clips import DARKEST, STEP, index_of, write_video
from tests.scripts import Result

FORM = Form(short_side=24, key_interval=4)


def indices(path: Path) -> list[int]:
    return [index_of(frame) for frame in FrameReader(path)]


def test_frames_size_and_key_frames(tmp_path: Path) -> None:
    source, target = write_video(tmp_path / 'a.mp4', 20), tmp_path / 'small' / 'a.mp4'
    assert prepare_video(source, target, FORM) == 20
    assert indices(target) == [*range(20)] and read_frames(target).shape == (20, 24, 32, 3)
    with VideoFile(target) as video:
        gaps = np.diff([*video.keys, 20])
        assert max(gaps) <= 4 and not video.is_reordered and video.fps == 10
    for decoder in ('pyav', 'decord'):  # no B-frames, which decord numbers wrongly
        if decoder == 'decord':
            pytest.importorskip('decord')
        reader = open_video(target, decoder)
        assert [index_of(frame) for frame in reader.read([17, 3, 9])] == [17, 3, 9]
    assert [stream.type for stream in av.open(str(target)).streams] == ['video']


def test_moving_pictures_have_no_b_frames(tmp_path: Path) -> None:
    scene = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (80, 200, 3), dtype=np.uint8), (0, 0), 3)
    moving = [scene[10:58, 2 * number : 2 * number + 64] for number in range(24)]
    write_playable(tmp_path / 'a.mp4', moving, 10)
    prepare_video(tmp_path / 'a.mp4', tmp_path / 'b.mp4', Form())
    with VideoFile(tmp_path / 'a.mp4') as before, VideoFile(tmp_path / 'b.mp4') as after:
        assert before.is_reordered and not after.is_reordered


def write_at(path: Path, times: list[int]) -> Path:
    """Write frames of rising brightness that are shown at times in hundredths of a second."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=100, options={'bf': '0'})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, 'yuv420p', Fraction(1, 100)
        for index, time in enumerate(times):
            frame = np.full((48, 64, 3), DARKEST + STEP * index, np.uint8)
            picture = av.VideoFrame.from_ndarray(frame, format='rgb24')
            picture.pts, picture.time_base = time, Fraction(1, 100)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_uneven_times_become_a_constant_rate(tmp_path: Path) -> None:
    source, target = write_at(tmp_path / 'a.mkv', [0, 10, 20, 30, 80, 90, 100]), tmp_path / 'b.mp4'
    prepare_video(source, target, FORM)  # 6 frames a second
    shown = [np.searchsorted(frame_times(source), time + 1e-3, side='right') - 1 for time in frame_times(target)]
    assert indices(target) == shown and set(np.diff(frame_times(target)).round(3)) == {0.167}
    prepare_video(source, target, Form(short_side=24, fps=10))
    assert indices(target) == [0, 1, 2, 3, 3, 3, 3, 3, 4, 5, 6]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / 'data'
    (root / 'clips').mkdir(parents=True)
    for name in ('clips/one 1.mkv', 'clips/two.mp4', 'clips/two.mkv'):
        write_video(root / name, 8)
    (root / 'bad.mp4').write_bytes(b'no video')
    (root / 'train.txt').write_text('clips/one 1.mkv 3\nbad.mp4 1\nclips/two.mp4 0\nclips/two.mkv 2\nno.mp4 2\n')
    (root / 'classes.txt').write_text('a\nb\nc\nd\n')
    return root


def test_lists_name_what_is_there(data: Path, tmp_path: Path) -> None:
    (source,) = find_sources(data / 'train.txt')
    results = prepare_videos([source], tmp_path / 'out', FORM, num_workers=0)
    (written,) = write_prepared_lists({data / 'train.txt': source}, tmp_path / 'out', results)
    assert written == tmp_path / 'out' / 'train.txt' and (tmp_path / 'out' / 'classes.txt').is_file()
    assert [(entry.path, entry.label) for entry in read_entries(written)] == [
        ('clips/one 1.mp4', 3),
        ('clips/two.mp4', 0),
        ('clips/two.mkv.mp4', 2),
    ]
    assert all(indices(tmp_path / 'out' / entry.path) == [*range(8)] for entry in read_entries(written))
    failed = (tmp_path / 'out' / 'failed.csv').read_text().splitlines()
    assert len(failed) == 3 and failed[1].startswith(str(data / 'bad.mp4')) and 'no.mp4' in failed[2]


def test_what_is_there_is_not_made_again(data: Path, tmp_path: Path) -> None:
    (source,) = find_sources(data / 'clips')
    prepare_videos([source], tmp_path / 'out', FORM, num_workers=0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / 'out').rglob('*.mp4')}
    gone, *_ = before
    gone.unlink()
    seen: list = []
    prepare_videos([source], tmp_path / 'out', FORM, num_workers=1, on_video=seen.append)
    assert len(seen) == 3 and not any(result.reason for result in seen)
    assert {path for path, time in before.items() if path.stat().st_mtime_ns != time} == {gone}
    with pytest.raises(ValueError, match=r"prepared with .*'short_side': 24.* choose another folder"):
        prepare_videos([source], tmp_path / 'out', Form(), num_workers=0)


def test_sources_are_not_taken_for_prepared_videos(data: Path, tmp_path: Path) -> None:
    (source,) = find_sources(data / 'clips')
    for out in (data / 'clips', data):
        with pytest.raises(ValueError, match='choose a folder outside of the source'):
            prepare_videos([source], out, FORM, num_workers=0)
        assert not (out / 'prepared.json').exists()
    (tmp_path / 'other').mkdir()
    write_video(tmp_path / 'other/two.mp4', 8)
    (other,) = find_sources(tmp_path / 'other')
    with pytest.raises(ValueError, match=r'would both be .*two.mp4: prepare their sources one by one'):
        prepare_videos([source, other], tmp_path / 'out', FORM, num_workers=0)


def test_values_out_of_range() -> None:
    for wrong in (dict(short_side=0), dict(key_interval=0), dict(crf=52), dict(fps=-1.0)):
        with pytest.raises(ValueError, match='short_side must be at least 16'):
            Form(**wrong)


def test_tool(run_tool: Callable[..., Result], data: Path, tmp_path: Path) -> None:
    options = ('--short-side', 24, '--out', 'out', '--num-workers', 0)
    done = run_tool('tools/prepare_videos.py', data / 'train.txt', *options, cwd=tmp_path)
    assert done.status == 0, done.errors
    lines = done.output.splitlines()
    assert lines[0] == '3 of 5 videos in out' and lines[-1] == 'list out/train.txt'
    assert json.loads((tmp_path / 'out/prepared.json').read_text())['short_side'] == 24
