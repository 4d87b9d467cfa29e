"""Tests of the demo dataset: what it shows, what lies on disk, and that a seed settles both."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import cv2
import decord
import numpy as np
import pytest
from PIL import Image

from mmsigma.synthetic.demo_data import (
    ACTIONS,
    DemoVideo,
    make_demo_dataset,
    render_demo_video,
    video_name,
)

NAMES = [action.name for action in ACTIONS]
NUM_VIDEOS = len(ACTIONS)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_dataset(tmp_path_factory.mktemp('data') / 'demo', NUM_VIDEOS, num_masked=NUM_VIDEOS)


def decode(root: Path, index: int) -> np.ndarray:
    return decord.VideoReader(str(root / 'videos' / f'{video_name(index)}.mp4'))[:].asnumpy()


def read_masks(root: Path, index: int) -> list[Image.Image]:
    return [Image.open(path) for path in sorted((root / 'Annotations' / '480p' / video_name(index)).iterdir())]


def read_phases(root: Path, index: int) -> dict:
    return json.loads((root / 'phases' / f'{video_name(index)}.json').read_text())


def act(name: str, index: int) -> DemoVideo:
    return render_demo_video(index, seed=1, label=NAMES.index(name))


def centroids(video: DemoVideo, ident: int = 1) -> np.ndarray:
    """Centre of an object in every frame, in units of the shorter side: (T, 2) as x, y."""
    points = [np.argwhere(mask == ident)[:, ::-1].mean(0) for mask in video.masks]
    return np.stack(points) / min(video.masks.shape[1:])


def measure_turn(video: DemoVideo, step: int = 3) -> float:
    """Degrees the object turns clockwise in all, from its texture around its centre."""
    radius = 0.2 * min(video.masks.shape[1:])
    pictures = []
    for frame, mask in zip(video.frames[::step], video.masks[::step], strict=True):
        centre = np.argwhere(mask == 1)[:, ::-1].mean(0)
        picture = np.where(mask[..., None] == 1, frame, 0).astype(np.float32)
        polar = cv2.warpPolar(picture, (32, 360), centre, radius, cv2.INTER_LINEAR).reshape(360, -1)
        pictures.append(np.fft.rfft(polar - polar.mean(0), axis=0))
    total = 0.0
    for before, after in zip(pictures, pictures[1:], strict=False):
        match = np.fft.irfft((after * before.conj()).sum(1), n=360)
        total += max(range(-60, 61), key=lambda shift: match[shift])
    return total


@pytest.mark.parametrize('index', [3, 4])
@pytest.mark.parametrize(
    ('name', 'way'), [('move_left', (-1, 0)), ('move_right', (1, 0)), ('move_up', (0, -1)), ('move_down', (0, 1))]
)
def test_direction(name: str, way: tuple[int, int], index: int) -> None:
    path = centroids(act(name, index))
    gone = path @ way - path[0] @ way
    assert 0.3 < gone[-1] < 0.7
    assert np.all(np.diff(gone[::5]) > -0.01)
    assert abs((path[-1] - path[0]) @ way[::-1]) < 0.25


@pytest.mark.parametrize('index', [3, 4])
@pytest.mark.parametrize(('name', 'sign'), [('rotate_cw', 1), ('rotate_ccw', -1)])
def test_rotation(name: str, sign: int, index: int) -> None:
    video = act(name, index)
    assert 150 < sign * measure_turn(video) < 350
    assert np.ptp(centroids(video), axis=0).max() < 0.1


@pytest.mark.parametrize('index', [3, 4])
@pytest.mark.parametrize(('name', 'sign'), [('approach', 1), ('recede', -1)])
def test_size(name: str, sign: int, index: int) -> None:
    video = act(name, index)
    area = np.log((video.masks == 1).sum((1, 2)))
    assert sign * (area[-1] - area[0]) > np.log(3.5)
    assert np.all(sign * np.diff(area[::5]) > 0)
    assert np.ptp(centroids(video), axis=0).max() < 0.1


@pytest.mark.parametrize('index', [3, 4])
def test_vanish(index: int) -> None:
    video = act('vanish', index)
    area = (video.masks == 1).sum((1, 2))
    phase = np.floor(video.progress)
    assert not area[phase == 2].any()
    assert area[phase == 0].all() and area[-1]


@pytest.mark.parametrize('index', [3, 4])
def test_collide(index: int) -> None:
    video = act('collide', index)
    distance = np.linalg.norm(centroids(video, 1) - centroids(video, 2), axis=1)
    assert np.floor(video.progress[distance.argmin()]) == 1
    assert min(distance[0], distance[-1]) > 1.6 * distance.min()


def test_objects_are_large_enough() -> None:
    for index, name in enumerate(NAMES):
        masks = act(name, index).masks
        assert (masks[0] == 1).sum() > 0.008 * min(masks.shape[1:]) ** 2, name


def test_appearance_is_independent_of_class() -> None:
    reference = act(NAMES[0], 5)
    for name in NAMES[1:]:
        video = act(name, 5)
        assert video.fps == reference.fps and video.frames.shape == reference.frames.shape
        touched = cv2.dilate(((video.masks + reference.masks)[0] > 0).astype(np.uint8), np.ones((5, 5))) > 0
        np.testing.assert_array_equal(video.frames[0][~touched], reference.frames[0][~touched])
        colours = [some.frames[0][some.masks[0] == 1].mean(0) for some in (video, reference)]
        assert np.abs(colours[0] - colours[1]).max() < 20, name


def test_videos_vary() -> None:
    videos = [render_demo_video(index) for index in range(12)]
    assert len({video.frames.shape[1:3] for video in videos}) > 6
    assert len({len(video.frames) for video in videos}) > 6
    assert len({video.fps for video in videos}) > 2
    for video in videos:
        num_frames, height, width = video.masks.shape
        assert 30 <= num_frames <= 90 and height % 2 == width % 2 == 0
        assert 96 <= min(height, width) <= max(height, width) <= 240


def test_files_agree_with_what_was_rendered(dataset: Path) -> None:
    for index in range(NUM_VIDEOS):
        video, found = render_demo_video(index), read_phases(dataset, index)
        reader = decord.VideoReader(str(dataset / 'videos' / f'{video_name(index)}.mp4'))
        frames = reader[:].asnumpy()
        assert frames.shape == video.frames.shape
        assert np.abs(frames.astype(int) - video.frames).mean() < 12
        assert reader.get_avg_fps() == pytest.approx(video.fps) == found['fps']
        assert found['num_frames'] == len(found['phases']) == len(frames)
        masks = read_masks(dataset, index)
        np.testing.assert_array_equal(np.stack([np.array(mask) for mask in masks]), video.masks)
        jpegs = sorted((dataset / 'JPEGImages' / '480p' / video_name(index)).iterdir())
        assert [path.stem for path in jpegs] == [f'{time:05d}' for time in range(len(frames))]


def test_masks_follow_davis(dataset: Path) -> None:
    for index, name in enumerate(NAMES):
        masks = read_masks(dataset, index)
        assert {mask.mode for mask in masks} == {'P'}
        assert masks[0].getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        ids = {0, 1, 2} if name == 'collide' else {0, 1}
        assert set(np.unique(np.stack([np.array(mask) for mask in masks]))) == ids
        assert set(np.unique(np.array(masks[0]))) == ids, 'every object is there in the first frame'


def test_phases(dataset: Path) -> None:
    for index, action in enumerate(ACTIONS):
        found = read_phases(dataset, index)
        phases = np.array(found['phases'])
        assert found['class'] == action.name and found['label'] == index
        assert np.all(np.diff(phases) >= 0) and np.all(np.diff(found['progress']) >= 0)
        assert set(phases.tolist()) == set(range(len(action.phases)))
        assert tuple(found['phase_names']) == action.phases == tuple(found['events'])
        assert list(found['events'].values()) == [int(np.argmax(phases == phase)) for phase in range(phases.max() + 1)]


def test_event_times_vary() -> None:
    videos = [act('approach', index) for index in range(4)]
    assert np.std([video.events[1] / len(video.frames) for video in videos]) > 0.01


def test_lists(tmp_path: Path) -> None:
    root = make_demo_dataset(tmp_path, num_videos=5, val_share=0.4, num_masked=1)
    train, val = ((root / 'annotations' / f'{split}.txt').read_text().splitlines() for split in ('train', 'val'))
    assert train == ['videos/clip_0000.mp4 0', 'videos/clip 0001.mp4 1', 'videos/clip_0002.mp4 2']
    assert val == ['videos/clip_0003.mp4 3', 'videos/clip_0004.mp4 4']
    assert all((root / line.rpartition(' ')[0]).is_file() for line in train + val)
    assert (root / 'annotations' / 'classes.txt').read_text().split() == NAMES
    assert (root / 'ImageSets' / '2017' / 'train.txt').read_text() == ''
    assert (root / 'ImageSets' / '2017' / 'val.txt').read_text() == 'clip_0004\n'
    assert [path.name for path in (root / 'Annotations' / '480p').iterdir()] == ['clip_0004']


def test_only_the_first_classes(tmp_path: Path) -> None:
    root = make_demo_dataset(tmp_path, num_videos=4, val_share=0.5, num_masked=0, num_classes=2)
    lists = [(root / 'annotations' / f'{split}.txt').read_text().splitlines() for split in ('train', 'val')]
    assert [line[-2:] for lines in lists for line in lines] == [' 0', ' 1', ' 0', ' 1']
    assert (root / 'annotations' / 'classes.txt').read_text().split() == NAMES[:2]
    assert 'move_right' in (root / 'README.txt').read_text() and 'move_up' not in (root / 'README.txt').read_text()
    assert [read_phases(root, index)['class'] for index in range(4)] == NAMES[:2] * 2
    assert read_phases(root, 2)['progress'] == render_demo_video(2, label=0).progress.round(4).tolist()


def test_result_depends_on_seed_and_index_only(dataset: Path, tmp_path: Path) -> None:
    """Neither on the number of processes, nor on that of videos."""
    other = make_demo_dataset(tmp_path / 'parallel', 4, num_masked=4, num_workers=2)
    for index in range(4):
        np.testing.assert_array_equal(decode(other, index), decode(dataset, index))
        for ours, theirs in zip(read_masks(dataset, index), read_masks(other, index), strict=True):
            np.testing.assert_array_equal(np.array(ours), np.array(theirs))
        assert read_phases(other, index) == read_phases(dataset, index)
    assert not np.array_equal(render_demo_video(0, seed=0).masks[0], render_demo_video(0, seed=1).masks[0])


def test_complete_set_is_left_alone(tmp_path: Path) -> None:
    seen: list[str] = []
    root = make_demo_dataset(tmp_path, 2, on_video=seen.append)
    stamps = {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    make_demo_dataset(tmp_path, 2, on_video=seen.append)
    assert seen == ['clip_0000', 'clip 0001']
    assert stamps == {path: path.stat().st_mtime_ns for path in root.rglob('*')}
    with pytest.raises(FileExistsError, match='another demo dataset'):
        make_demo_dataset(tmp_path, 2, seed=1)


def test_interrupted_run_is_taken_up(tmp_path: Path) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo_dataset(tmp_path, 2, on_video=interrupt)
    first = tmp_path / 'videos' / 'clip_0000.mp4'
    stamp = first.stat().st_mtime_ns
    make_demo_dataset(tmp_path, 2)
    assert first.stat().st_mtime_ns == stamp
    assert len(decode(tmp_path, 1)) == read_phases(tmp_path, 1)['num_frames']
    assert json.loads((tmp_path / 'meta.json').read_text())['complete']
    assert not list(tmp_path.rglob('.*')), 'no drafts are left'


@pytest.mark.parametrize('content', [None, '{}', '[]', 'not json'])
def test_foreign_folder_is_refused(content: str | None, tmp_path: Path) -> None:
    (tmp_path / 'thesis.tex').write_text('years of work')
    if content is not None:
        (tmp_path / 'meta.json').write_text(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileExistsError, match='does not contain a demo dataset'):
        make_demo_dataset(tmp_path)
    with pytest.raises(FileExistsError):
        make_demo_dataset(tmp_path / 'thesis.tex')
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    'arguments',
    [
        {'num_videos': 1},
        {'num_videos': -3},
        {'val_share': 0.0},
        {'val_share': 1.0},
        {'num_masked': 121},
        {'seed': -1},
        {'num_workers': -1},
        {'num_classes': 0},
        {'num_classes': 11},
    ],
)
def test_invalid_arguments(arguments: dict, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        make_demo_dataset(tmp_path / 'demo', **arguments)
    assert not (tmp_path / 'demo').exists()


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    tool = Path(__file__).parents[2] / 'tools' / 'make_demo_dataset.py'
    command = ['make_demo_dataset.py', '--out', str(tmp_path / 'demo'), '--num-videos', '2', '--num-workers', '0']
    monkeypatch.setattr(sys, 'argv', command)
    runpy.run_path(str(tool), run_name='__main__')
    assert 'demo dataset is in' in capsys.readouterr().out
    monkeypatch.setattr(sys, 'argv', [*command, '--seed', '1'])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(str(tool), run_name='__main__')
    assert 'another demo dataset' in capsys.readouterr().err


def test_a_file_in_the_place_of_the_folder(run_tool: Any, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    failed = run_tool('tools/make_demo_dataset.py', '--out', tmp_path / 'file' / 'x', '--num-workers', '0')
    assert failed.status == 2 and f'{tmp_path / "file"} is not a folder' in failed.errors
    assert 'Traceback' not in failed.errors
