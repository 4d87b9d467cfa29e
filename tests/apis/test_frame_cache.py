"""Frames decoded once: reduced, listed by their number, and read by a dataset like any other video."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.apis.frame_cache import cache_frames
from mmsigma.datasets import VideoDataset
from mmsigma.io.video import read_frames, write_mp4


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """A folder of two videos, of 30 and 10 frames, and one of a folder of 20 frames."""
    rng = np.random.default_rng(0)
    videos, folders = tmp_path / 'videos', tmp_path / 'frames'
    (folders / 'walk').mkdir(parents=True)
    for name, count in (('long', 30), ('short', 10)):
        write_mp4(videos / f'{name}.mp4', list(rng.integers(0, 256, (count, 48, 64, 3), dtype=np.uint8)), 25.0)
    for number in range(20):
        cv2.imwrite(str(folders / 'walk' / f'{number:05d}.png'), np.full((24, 32, 3), 10 * number, np.uint8))
    return [videos, folders]


def test_frames_are_reduced_and_listed_in_proportion(sources: list[Path], tmp_path: Path) -> None:
    out = tmp_path / 'cache'
    assert cache_frames(sources, out, short_side=24, entries=12) == (3, 60)
    listed = Counter((out / 'list.txt').read_text().split())
    assert listed == {'videos/long_mp4.npy': 6, 'videos/short_mp4.npy': 2, 'frames/walk.npy': 4}
    expected = [
        cv2.resize(frame, (32, 24), interpolation=cv2.INTER_AREA) for frame in read_frames(sources[0] / 'short.mp4')
    ]
    np.testing.assert_array_equal(np.load(out / 'videos/short_mp4.npy'), expected)
    np.testing.assert_array_equal(np.load(out / 'frames/walk.npy')[:, 0, 0, 0], 10 * np.arange(20))


def test_what_is_there_is_kept_and_what_is_damaged_is_left_out(
    sources: list[Path], tmp_path: Path, warnings_logged: list[str]
) -> None:
    out = tmp_path / 'cache'
    cache_frames(sources, out, short_side=24)
    before = (out / 'videos/long_mp4.npy').stat().st_mtime_ns
    (sources[0] / 'bad.mp4').write_bytes(b'nothing')
    assert cache_frames(sources, out, short_side=24) == (3, 60)
    assert (out / 'videos/long_mp4.npy').stat().st_mtime_ns == before
    assert any('bad.mp4 is left out' in text for text in warnings_logged)


def test_dataset_reads_the_list(sources: list[Path], tmp_path: Path) -> None:
    cache_frames(sources, tmp_path / 'cache', short_side=24, entries=12)
    reading = dict(type='ReadClip', sampling=dict(type='SampleStridedClip', clip_len=4, frame_interval=2))
    dataset = VideoDataset([reading], ann_file='list.txt', data_root=str(tmp_path / 'cache'))
    assert len(dataset) == 12
    assert {dataset[index]['imgs'][0].shape for index in range(12)} == {(24, 32, 3)}
