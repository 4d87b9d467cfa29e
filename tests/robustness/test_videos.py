"""Generated videos are read right or refused by name: no crash, no hang, no frame that is another."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets import VideoDataset
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.datasets.videos.tolerant_dataset import TolerantDataset
from mmsigma.datasets.videos.video_dataset import find_frame_folders, find_videos
from mmsigma.io.video import read_frames
from tests.robustness.catalogue import all_cases, cases_by_kind, outcomes, written
from tests.robustness.contract import READS, Reader, available
from tests.robustness.numbered import number_of, numbered
from tests.robustness.videos import LENGTH, write

KINDS = cases_by_kind()
# PyAV is what 'auto' uses for files
NAMES = [name for name in READS if name != 'pyav']


@pytest.fixture(scope='module')
def reader() -> Iterator[Reader]:
    with Reader() as reader:
        yield reader


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp('videos')


def test_there_are_many() -> None:
    counts = Counter((case.kind, case.name) for case in all_cases())
    assert len(counts) >= 150 and set(counts.values()) == {1}
    assert sum(case.is_video is True for case in all_cases()) >= 150


@pytest.mark.parametrize('size', [(48, 64), (16, 16), (17, 15), (1, 1), (96, 128)])
def test_pictures_tell_their_numbers(size: tuple[int, int]) -> None:
    for number in range(LENGTH):
        noise = np.random.default_rng(number).integers(-5, 6, (*size, 1)) if min(size) > 1 else 0
        assert number_of((numbered(number, size) + noise).clip(0, 255).astype(np.uint8)) == number


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name', NAMES)
def test_right_or_refused(name: str, kind: str, folder: Path, reader: Reader) -> None:
    if not available(name):
        pytest.skip(f'no {name}')
    # the table has all: here, half of the damaged ones suffice, and samples of what goes through 'auto'
    many = len(KINDS[kind]) > 30
    step = {'auto': 2 if len(KINDS[kind]) > 60 else 1, 'decord': 3 if many else 1, 'torchcodec': 1}.get(
        name, 6 if many else 2
    )
    cases = KINDS[kind][::step]
    found = outcomes(name, cases, folder / str(step) / kind, reader)
    assert [(ascii(case.name), result) for case, result in found if result.startswith('WRONG')] == []


def test_training_replaces_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    cases = [case for kind in ('no videos', 'cut off', 'time stamps') for case in KINDS[kind][:15]]
    paths = [path for _, path in written(cases, tmp_path / 'all') if path.suffix in ('.mp4', '.ts', '.mkv')]
    lines = [f'{path.relative_to(tmp_path)} 0\n' for path in paths]
    (tmp_path / 'list.txt').write_text(''.join(lines))
    clip = dict(type='ReadClip', sampling=dict(type='SampleStridedClip', clip_len=4, frame_interval=2))
    settings = dict(pipeline=[clip], ann_file='list.txt', data_root=str(tmp_path), data_prefix=dict(video=''))
    readable = 0
    for result in map(TolerantDataset(VideoDataset(**settings, test_mode=True)).__getitem__, range(len(lines))):
        assert bool(result.reason) != bool(result.sample), result.path
        readable += result.sample is not None
    assert 15 <= readable < len(lines)
    dataset = VideoDataset(**settings)
    for index in range(len(lines)):
        sample = dataset[index]
        assert len(sample['imgs']) == 4
        assert all(reason and os.path.lexists(path) for path, reason in sample['failures'])


def test_hidden_files_are_no_videos(tmp_path: Path) -> None:
    write(tmp_path / 'clip.mp4', 2)
    for name in ('._clip.mp4', '.hidden.mp4', '.DS_Store', 'Thumbs.db', '._frames.jpg'):
        (tmp_path / name).write_bytes(b'\0\5\x16\7' + bytes(100))
    for name in ('.Trashes', '.AppleDouble', '__MACOSX'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'clip.mp4').write_bytes(b'\0')
        (tmp_path / name / 'frame.jpg').write_bytes(b'\0')
    assert find_videos(tmp_path) == [tmp_path / 'clip.mp4']
    with pytest.raises(ValueError, match='no folder of images below'):
        find_frame_folders(tmp_path)


def test_names_that_ffmpeg_takes_for_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ('clip:1.mp4', 'http:clip.mp4', 'concat:a|b.mp4', '-i.mp4'):
        os.replace(write(tmp_path / 'a.mp4', 2), name)
        assert [number_of(frame) for frame in read_frames(name)] == [0, 1]
    with pytest.raises((UnreadableVideoError, FileNotFoundError)):
        read_frames('http://localhost/clip.mp4')
