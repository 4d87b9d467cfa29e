"""Steps, context and groups of videos for alignment."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets import PhaseVideoDataset
from mmsigma.datasets.alignment.phase_dataset import find_phases
from mmsigma.datasets.alignment.segment_index import SegmentedVideo, write_segment_index
from mmsigma.datasets.transforms.decoding import UnreadableVideoError


def test_phases(tmp_path: Path) -> None:
    (tmp_path / 'phases').mkdir()
    (tmp_path / 'list.txt').write_text('a.mp4 1\nb.mp4 0\nc.mp4 0\n')
    for name in 'abc':
        (tmp_path / f'{name}.mp4').write_text('')
    np.save(tmp_path / 'phases/a.npy', np.array([0, 1, 1]))
    (tmp_path / 'phases/b.json').write_text(json.dumps(dict(phases=[0, 2])))
    settings = dict(data_root=str(tmp_path), phases='phases', part='train')
    with pytest.raises(FileNotFoundError, match='no phases of 1 of 3 .*phases, for example c.mp4 .*missing_phases'):
        PhaseVideoDataset([], 'list.txt', **settings)
    dataset = PhaseVideoDataset([], 'list.txt', **settings, missing_phases='keep')
    assert 'frame_labels' not in dataset.get_data_info(2)
    infos = [dataset.get_data_info(index) for index in range(2)]
    assert [info['frame_labels'].tolist() for info in infos] == [[0, 1, 1], [0, 2]]
    assert [(info['action'], info['subset']) for info in infos] == [('1', 'train'), ('0', 'train')]
    left = PhaseVideoDataset([], 'list.txt', **settings, missing_phases='drop')
    assert [Path(left.get_data_info(index)['filename']).name for index in range(len(left))] == ['a.mp4', 'b.mp4']
    with pytest.raises(FileNotFoundError, match='no phases of 3 of 3 videos'):
        PhaseVideoDataset([], 'list.txt', **{**settings, 'phases': '.'}, missing_phases='drop')
    with pytest.raises(ValueError, match='missing_phases must be one of'):
        PhaseVideoDataset([], 'list.txt', **settings, missing_phases='ignore')


def test_phases_of_names_with_dots(tmp_path: Path) -> None:
    for name in ('squat_a.1', 'squat_a.2', 'record.mp4', 'x.mp4'):
        (tmp_path / name).mkdir()
    for number, name in enumerate(('squat_a', 'squat_a.1', 'squat_a.2', 'record.mp4', 'record', 'x')):
        np.save(tmp_path / f'{name}.npy', np.array([number]))
    found = [find_phases(tmp_path, tmp_path / name) for name in ('squat_a.1', 'squat_a.2', 'record.mp4', 'x.mp4')]
    assert [path.name for path in found] == ['squat_a.1.npy', 'squat_a.2.npy', 'record.mp4.npy', 'x.npy']
    assert find_phases(tmp_path, 'squat_a.3') is None
    for folder in 'xy':
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.mp4').write_text('')
    (tmp_path / 'list.txt').write_text('x/x.mp4 0\ny/x.mp4 0\n')
    with pytest.raises(ValueError, match=r'x/x.mp4 and .*y/x.mp4 would share the phases in .*x.npy'):
        PhaseVideoDataset([], 'list.txt', data_root=str(tmp_path), phases='.')


def test_names_of_actions(tmp_path: Path) -> None:
    def actions(**options) -> list[str]:
        dataset = PhaseVideoDataset([], 'list.txt', data_root=str(tmp_path), **options)
        return [dataset.get_data_info(index)['action'] for index in range(len(dataset))]

    (tmp_path / 'list.txt').write_text('a.mp4 2\nb.mp4 0\nc.mp4 3\nd.mp4 1\ne.mp4\n')
    (tmp_path / 'a.mp4').write_text('')
    assert actions() == ['2', '0', '3', '1', '-1']
    (tmp_path / 'classes.txt').write_text('bowl\n\ntennis serve\n')
    assert actions() == ['tennis serve', 'bowl', '3', '1', '-1']
    assert actions(label_range=(2, 3)) == ['tennis serve', '1']
    (tmp_path / 'classes.txt').write_text('bowl\nbowl\n')
    with pytest.raises(ValueError, match=r"classes\.txt contains 'bowl' twice"):
        actions()
    write_segment_index(tmp_path / 'list.json', [SegmentedVideo('a.mp4', 'a', 1, ((0, 2, 0),))], {})
    assert PhaseVideoDataset([], 'list.json', data_root=str(tmp_path)).get_data_info(0)['action'] == '1'


def test_folders_with_pictures_of_two_sizes(tmp_path: Path) -> None:
    (tmp_path / 'walk').mkdir()
    for number, size in enumerate([(24, 32), (24, 32), (20, 32)]):
        assert cv2.imwrite(str(tmp_path / 'walk' / f'{number}.png'), np.full((*size, 3), number, np.uint8))
    (tmp_path / 'list.txt').write_text('walk 0\n')
    read = dict(type='ReadClip', decoder='frames', sampling=dict(type='SampleAllFrames'))
    dataset = PhaseVideoDataset([read], 'list.txt', data_root=str(tmp_path), test_mode=True)
    with pytest.raises(UnreadableVideoError, match=r'walk cannot be read: .*: 0\.png is 32 x 24, 2\.png is 32 x 20'):
        dataset[0]
    (tmp_path / 'walk' / '2.png').unlink()
    assert [frame.shape for frame in dataset[0]['imgs']] == [(24, 32, 3)] * 2


@pytest.mark.parametrize('content', [np.array([[0, 1]]), np.array([0.5, 1]), np.zeros(0, np.int64), None])
def test_files_that_hold_no_phases(tmp_path: Path, content: np.ndarray | None) -> None:
    (tmp_path / 'list.txt').write_text('a.mp4 1\n')
    (tmp_path / 'a.mp4').write_text('')
    (tmp_path / 'a.npy').write_bytes(b'no array') if content is None else np.save(tmp_path / 'a.npy', content)
    dataset = PhaseVideoDataset([], 'list.txt', data_root=str(tmp_path), phases='.')
    with pytest.raises(ValueError, match=r'a\.npy does not contain phases'):
        dataset.get_data_info(0)


def test_what_replaces_a_video_shows_the_same_action(tmp_path: Path) -> None:
    for number in range(6):
        folder = tmp_path / 'videos' / f'v{number}'
        folder.mkdir(parents=True)
        for frame in range(4):
            cv2.imwrite(str(folder / f'{frame}.png'), np.full((8, 8, 3), 40 * number, np.uint8))
    (tmp_path / 'videos' / 'v1' / '2.png').write_bytes(b'no picture')
    (tmp_path / 'list.txt').write_text(''.join(f'v{number} {number % 3}\n' for number in range(6)))
    pipeline = [
        dict(type='ReadClip', decoder='frames', sampling=dict(type='SampleAllFrames')),
        dict(type='PackAlignmentInputs'),
    ]
    dataset = PhaseVideoDataset(
        pipeline, ann_file=str(tmp_path / 'list.txt'), data_prefix=dict(video=str(tmp_path / 'videos')), folders=True
    )
    sample = dataset[1]['data_samples']
    assert Path(sample.filename).name == 'v4' and sample.action == '1'
    assert [(Path(name).name, reason) for name, reason in sample.failures] == [
        ('v1', '2.png cannot be read as an image')
    ]
    assert {dataset.replacement(0) for _ in range(20)} == {3}
