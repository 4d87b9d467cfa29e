"""Converters of the datasets for alignment, on small look-alikes."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mmsigma.datasets import PhaseVideoDataset
from mmsigma.datasets.alignment.penn_action import NUM_PHASES
from tests.datasets.clips import index_of, write_video
from tests.tensorflow_files import sequence_example, write_records
from tests.tools.converting import lines

READ = [
    dict(type='ReadClip', decoder='frames', sampling=dict(type='SampleAllFrames')),
    dict(type='PackAlignmentInputs'),
]


def picture(index: int) -> bytes:
    """A JPEG that tells its index, see :func:`tests.datasets.clips.index_of`."""
    return cv2.imencode('.jpg', np.full((24, 32, 3), 20 + 8 * index, np.uint8))[1].tobytes()


class TestPennAction:
    VIDEOS = (
        ('0001', 'golf_swing', 1, 9),
        ('0002', 'golf_swing', 1, 4),
        ('0003', 'golf_swing', -1, 5),
        ('0004', 'bowl', 1, 3),
        ('0005', 'bowl', -1, 4),
        ('0006', 'jump_rope', 1, 3),
        ('0007', 'squat', -1, 6),
    )

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        for name, action, train, length in self.VIDEOS:
            (tmp_path / 'labels').mkdir(exist_ok=True)
            content = dict(action=action, train=train, nframes=length, bbox=np.zeros((length, 4)))
            savemat(tmp_path / 'labels' / f'{name}.mat', content)
            (tmp_path / 'frames' / name).mkdir(parents=True)
            for number in range(length):
                (tmp_path / 'frames' / name / f'{number + 1:06d}.jpg').write_bytes(picture(number))
        (tmp_path / 'frames' / '0007' / '000006.jpg').unlink()
        return tmp_path

    @pytest.fixture
    def phases(self, tmp_path: Path) -> Path:
        """Of another length for two videos, and of a part that the annotation does not name for one."""
        folder = tmp_path / 'third_party'
        for place, values in {
            'train/golf_swing/0001_phases': [0, 1, 2],
            'train/golf_swing/0002': [0, 0, 0, 1, 1, 1, 2, 2],
            'val/golf_swing/0003-x': [0, 0, 1, 1, 2],
            'train/bowling/0005': [0, 1, 1, 2],
        }.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            np.save(folder / f'{place}.npy', np.array(values))
        return folder

    def test_lists(self, root: Path, convert) -> None:
        result = convert('penn_action')
        assert result.status == 0, result.errors
        assert lines(root / 'train.txt') == ['frames/0001 5', 'frames/0002 5', 'frames/0004 3']
        assert lines(root / 'val.txt') == ['frames/0003 5', 'frames/0005 3']
        assert lines(root / 'val_missing.txt') == ['0007'] and '0007 does not have the 6 images' in result.output
        assert lines(root / 'train_golf_swing.txt') == ['frames/0001 5', 'frames/0002 5']
        assert lines(root / 'classes.txt') == list(NUM_PHASES)
        assert not (root / 'val_squat.txt').exists() and not (root / 'phases').exists()
        assert '6 of 6 videos have no phases' in result.output
        assert 'train: 3 files, 2 classes; the annotation lists 3, published are 1,172' in result.output
        row = next(line for line in result.output.splitlines() if line.startswith('golf_swing'))
        assert row.split() == ['golf_swing', '2/1', '89/77*', '87/77*', '87/77*']

    def test_phases(self, root: Path, convert, phases: Path) -> None:
        result = convert('penn_action', '--phases', phases)
        assert result.status == 0, result.errors
        assert '2 of 6 videos have no phases 0004 0007' in result.output
        assert '0005.npy is in the folder of train, but 0005 is in the list of val' in result.output
        dataset = PhaseVideoDataset(
            READ, 'train.txt', data_root=str(root), phases='phases', missing_phases='keep', test_mode=True
        )
        samples = [dataset[index]['data_samples'] for index in range(3)]
        # 3 phases of 9 frames, 8 of 4
        assert samples[0].frame_labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
        assert samples[1].frame_labels.tolist() == [0, 0, 1, 2] and 'frame_labels' not in samples[2]
        frames = dataset[0]['inputs'].numpy().transpose(0, 2, 3, 1)
        assert [index_of(frame) for frame in frames] == list(range(9))

    def test_only_labelled(self, root: Path, convert, phases: Path) -> None:
        result = convert('penn_action', '--phases', phases, '--only-labelled')
        assert result.status == 0, result.errors
        assert lines(root / 'train.txt') == ['frames/0001 5', 'frames/0002 5']
        assert lines(root / 'val.txt') == ['frames/0003 5', 'frames/0005 3'] and 'published' not in result.output

    def test_files_of_an_earlier_run(self, root: Path, convert, phases: Path) -> None:
        assert convert('penn_action', '--phases', phases).status == 0
        np.save(root / 'phases' / 'mine.npy', np.zeros(2))
        (root / 'train_mine.txt').write_text('kept')
        assert {'train_bowl.txt', 'val_bowl.txt'} <= {path.name for path in root.glob('*.txt')}
        assert convert('penn_action').status == 0 and len(list((root / 'phases').iterdir())) == 5
        (phases / 'train/bowling/0005.npy').unlink()
        result = convert('penn_action', '--phases', phases, '--only-labelled')
        assert result.status == 0, result.errors
        assert 'deleted 3 files of an earlier run: train_bowl.txt val_bowl.txt 0005.npy' in result.output
        left = {path.stem for path in (root / 'phases').iterdir()}
        assert left == {'0001', '0002', '0003', 'mine'} and (root / 'train_mine.txt').exists()
        assert {path.name for path in root.glob('*_*.txt')} == {
            'train_golf_swing.txt', 'val_golf_swing.txt', 'train_mine.txt'
        }  # fmt: skip

    def test_what_is_refused(self, root: Path, convert, phases: Path) -> None:
        assert 'no .mat file' in convert('penn_action', '--annotations', root / 'frames').errors
        assert 'no phases in' in convert('penn_action', '--phases', root / 'frames').errors
        np.save(phases / 'val/golf_swing/0001.npy', np.zeros(3, np.int64))
        assert 'are both of video 0001' in convert('penn_action', '--phases', phases).errors
        (phases / 'val/golf_swing/0001.npy').unlink()
        np.save(phases / 'val/golf_swing/0003-x.npy', np.array([0, 1, 3]))
        errors = convert('penn_action', '--phases', phases).errors
        assert '0003-x.npy has the phases [0, 1, 3], but golf_swing has 0 to 2' in errors
        (phases / 'val/golf_swing/0003-x.npy').rename(phases / 'val/golf_swing/0005.npy')
        (phases / 'train/bowling/0005.npy').unlink()
        assert '0005 shows bowl, not golf_swing' in convert('penn_action', '--phases', phases).errors
        (phases / 'val/golf_swing').rename(phases / 'val/dancing')
        assert "'dancing' is not one of the 13 actions" in convert('penn_action', '--phases', phases).errors
        savemat(root / 'labels' / '0004.mat', dict(action='bowl', train=0, nframes=3))
        assert '0004.mat is not an annotation of Penn Action' in convert('penn_action').errors
        (root / 'labels' / '0004.mat').write_bytes(b'x' * 200)
        assert '0004.mat is not an annotation of Penn Action' in convert('penn_action').errors

    def test_records(self, tmp_path: Path, convert) -> None:
        folder = tmp_path / 'records'
        for part, count in (('train', 3), ('val', 2)):
            records = [
                sequence_example(
                    dict(name=[f'../video {part[0]}{number}'.encode()], len=[3]),
                    dict(video=[[picture(number + step)] for step in range(3)])
                    | (dict(frame_labels=[[0], [1], [1]]) if number != 1 else {}),
                )
                for number in range(count)
            ]
            write_records(folder / 'pushups_tfrecords' / f'pushups_{part}_0.tfrecord', records)
        result = convert('penn_action', '--tfrecords', folder)
        assert result.status == 0, result.errors
        names = [f'frames/pushup_video_t{number} 8' for number in range(3)]
        assert lines(tmp_path / 'train.txt') == lines(tmp_path / 'train_pushup.txt') == names
        assert '2 of 5 videos have no phases' in result.output
        assert np.load(tmp_path / 'phases' / 'pushup_video_t2.npy').tolist() == [0, 1, 1]
        dataset = PhaseVideoDataset(READ, 'train.txt', data_root=str(tmp_path), test_mode=True)
        frames = dataset[2]['inputs'].numpy().transpose(0, 2, 3, 1)
        assert [index_of(frame) for frame in frames] == [2, 3, 4]

    def test_records_are_unpacked_once(self, tmp_path: Path, convert) -> None:
        record = sequence_example(dict(name=[b'a']), dict(video=[[picture(1)], [picture(2)]]))
        path = write_records(tmp_path / 'r' / 'squats_tfrecords' / 'squats_train', [record])
        assert convert('penn_action', '--tfrecords', tmp_path / 'r').status == 0
        first = tmp_path / 'frames' / 'squat_a' / '000001.jpg'
        first.write_bytes(b'kept')
        assert convert('penn_action', '--tfrecords', tmp_path / 'r').status == 0 and first.read_bytes() == b'kept'
        (first.parent / '000002.jpg').unlink()  # of an interrupted run
        assert convert('penn_action', '--tfrecords', tmp_path / 'r').status == 0 and first.read_bytes() == picture(1)
        for records, message in [
            ([record, record], 'record 1: the name squat_a is already that of'),
            (
                [sequence_example(dict(name=[b'a']), dict(frames=[[b'']]))],
                'record 0 is not a video in the format of TCC',
            ),
            ([sequence_example(dict(name=[b'a']), dict(video=[[b'GIF']]))], 'not JPEG or PNG'),
            ([sequence_example({}, dict(video=[[picture(1)]], frame_labels=[[0], [1]]))], '1 frames and 2 labels'),
            (
                [sequence_example(dict(name=[b'p']), dict(video=[[picture(1)]], frame_labels=[[4]]))],
                'squats_train, video squat_p has the phases [4], but squat has 0 to 3',
            ),
        ]:
            write_records(path, records)
            assert message in convert('penn_action', '--tfrecords', tmp_path / 'r').errors

    def test_records_of_several_files(self, tmp_path: Path, convert) -> None:
        def record(value: int, **context: list) -> bytes:
            return sequence_example(dict(len=[1], **context), dict(video=[[picture(value)]]))

        folder = tmp_path / 'r' / 'squats_tfrecords'
        for value, name in enumerate(('train_0', 'train_1', 'val_0')):
            write_records(folder / f'squats_{name}', [record(2 * value), record(2 * value + 1)])
        result = convert('penn_action', '--tfrecords', tmp_path / 'r')
        assert result.status == 0, result.errors
        shown = {}
        for part in ('train', 'val'):
            dataset = PhaseVideoDataset(READ, f'{part}.txt', data_root=str(tmp_path), test_mode=True)
            shown[part] = [index_of(dataset[index]['inputs'].numpy()) for index in range(len(dataset))]
        assert shown == dict(train=[0, 1, 2, 3], val=[4, 5])
        assert lines(tmp_path / 'val.txt') == ['frames/squat_val_2_0 10', 'frames/squat_val_2_1 10']
        write_records(folder / 'squats_train_1', [record(6, name=[b'a'])])
        write_records(folder / 'squats_val_0', [record(7), record(8, name=[b'a'])])
        errors = convert('penn_action', '--tfrecords', tmp_path / 'r').errors
        assert 'squats_val_0, record 1: the name squat_a is already that of' in errors
        assert 'squats_train_1, record 0: leave out one of the two videos' in errors

    def test_carl(self, tmp_path: Path, convert) -> None:
        folder = tmp_path / 'carl'
        (folder / 'videos').mkdir(parents=True)
        for part, count in (('train', 2), ('val', 1)):
            videos = [
                dict(
                    id=number,
                    name=f'{part}{number}',
                    video_file=f'videos/{part}{number}.mp4',
                    seq_len=4,
                    frame_label=np.array([0, 1]) if number == 0 else None,
                )
                for number in range(count)
            ]
            (folder / f'{part}.pkl').write_bytes(pickle.dumps((videos, dict(bowling=[0], golf_swing=[1][: count - 1]))))
            for video in videos:
                (folder / video['video_file']).write_bytes(b'')
        assert 'set --trust' in convert('penn_action', '--carl', folder).errors
        result = convert('penn_action', '--carl', folder, '--trust')
        assert result.status == 0, result.errors
        assert lines(tmp_path / 'train.txt') == ['carl/videos/train0.mp4 3', 'carl/videos/train1.mp4 5']
        assert np.load(tmp_path / 'phases' / 'train0.npy').tolist() == [0, 0, 1, 1]
        before = (folder / 'val.pkl').read_bytes()
        content = pickle.loads(before)
        for wrong, message in (
            ([0, 3], 'video val0 has the phases [0, 3], but bowl has 0 to 2'),
            ([0.5, 1], 'video val0 has values float64 of the shape (2,), expected one phase per frame'),
        ):
            content[0][0]['frame_label'] = np.array(wrong)
            (folder / 'val.pkl').write_bytes(pickle.dumps(content))
            assert message in convert('penn_action', '--carl', folder, '--trust').errors
        (folder / 'val.pkl').write_bytes(pickle.dumps(([dict(id=3)], {})))
        assert "is not CARL's list" in convert('penn_action', '--carl', folder, '--trust').errors


def test_pouring(tmp_path: Path, convert) -> None:
    def record(name: str, last: int = 4) -> bytes:
        lists = dict(video=[[picture(step)] for step in range(5)], frame_labels=[[0], [1], [2], [3], [last]])
        return sequence_example(dict(name=[name.encode()], len=[5]), lists)

    folder = tmp_path / 'tfrecords'
    write_records(folder / 'pouring_train-0.tfrecord', [record('a'), record('b')])
    write_records(folder / 'pouring_train-1.tfrecord', [record('a')])
    assert 'no records *val*' in convert('pouring').errors
    write_records(folder / 'pouring_val-0.tfrecord', [record('a')])
    result = convert('pouring')
    assert result.status == 0, result.errors
    assert lines(tmp_path / 'train.txt') == [f'frames/train_{name} 0' for name in ('0_a', '0_b', '1_a')]
    assert lines(tmp_path / 'val.txt') == ['frames/val_a 0'] and not (tmp_path / 'test.txt').exists()
    assert 'lists 3, published are 70' in result.output
    dataset = PhaseVideoDataset(READ, 'val.txt', data_root=str(tmp_path), phases='phases', test_mode=True)
    assert dataset[0]['data_samples'].frame_labels.tolist() == [0, 1, 2, 3, 4]
    write_records(folder / 'pouring_val-0.tfrecord', [record('a', last=5)])
    assert 'val_a has phases other than 0 to 4' in convert('pouring').errors


class TestFineGym:
    """Whole videos of 10 frames a second; a vault of three stages, and two routines on the floor."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        def segments(**times: list) -> dict:
            return {f'A_{name}': dict(stages=len(own), timestamps=own) for name, own in times.items()}

        vault = segments(run=[[0.1, 0.3], [0.3, 0.5], [0.5, 0.8]])
        floor = segments(a=[[0.1, 0.2]], b=[[0.4, 0.6]], c=[[0.8, 1.0]], d=[[1.1, 1.2]])
        other = segments(a=[[0.2, 0.4]], late=[[5.0, 6.0]])
        events = {
            'E_1': dict(event=1, timestamps=[[0.5, 1.5]], segments=vault),
            'E_2': dict(event=2, timestamps=[[1.0, 2.4]], segments=floor),
            'E_3': dict(event=2, timestamps=[[0.0, 1.0]], segments=other),
            'E_4': dict(event=3, timestamps=[[0.0, 1.0]], segments=None),
        }
        folder = tmp_path / 'annotations'
        folder.mkdir()
        (folder / 'finegym_annotation_info_v1.0.json').write_text(json.dumps(dict(vid=events, gone=events)))
        train = {'vid_E_1_A_run': 3, 'vid_E_2_A_a': 12, 'vid_E_2_A_b': 7, 'vid_E_2_A_c': 6, 'gone_E_2_A_a': 12}
        val = {'vid_E_2_A_d': 7, 'vid_E_3_A_a': 6, 'vid_E_3_A_late': 12, 'vid_E_9_A_a': 6}
        for part, entries in (('train', train), ('val', val)):
            text = ''.join(f'{name} {label}\n' for name, label in entries.items())
            (folder / f'gym99_{part}_element_v1.0.txt').write_text(text)
        (folder / 'order.json').write_text(json.dumps(dict(FX=dict(leaps=[6, 7], turns=[12]), BB=dict(x=[50]))))
        (tmp_path / 'whole').mkdir()
        write_video(tmp_path / 'whole' / 'vid.mp4', 24)
        return tmp_path

    @staticmethod
    def videos(root: Path, name: str) -> dict[str, tuple[int, list[list[int]]]]:
        content = json.loads((root / f'{name}.json').read_text())
        return {video['name']: (video['label'], video['segments']) for video in content['videos']}

    def test_organised(self, root: Path, convert) -> None:
        options = ('--frames', 'organised', '--full-videos', root / 'whole', '--order', root / 'annotations/order.json')
        result = convert('finegym', *options)
        assert result.status == 0, result.errors
        # 25 frames a second; the frame at the end of an element is its own
        expected = {
            'vid_E_1': (0, [[2, 7, 99], [7, 12, 100], [12, 21, 3]]),
            'vid_E_2': (1, [[10, 16, 7], [20, 26, 6], [2, 6, 12]]),
        }
        assert self.videos(root, 'gym99_train_organised') == expected
        assert self.videos(root, 'gym99_val_organised') == {
            'vid_E_2': (1, [[27, 31, 7]]),
            'vid_E_3': (1, [[5, 11, 6]]),
        }
        settings = json.loads((root / 'gym99_train_organised.json').read_text())['settings']
        assert settings['order'] == {'VT': {'all': [3]}, 'FX': {'leaps': [6, 7], 'turns': [12]}}
        assert settings['labels'] == {'VT': [3, 99, 100], 'FX': [6, 7, 12]} and settings['missing_sets'] == 'keep'
        assert lines(root / 'gym99_train_organised_missing.txt') == ['gone_E_2']
        assert lines(root / 'gym99_val_unannotated.txt') == ['vid_E_9_A_a']
        assert len(lines(root / 'classes.txt')) == 101
        pipeline = [dict(READ[0], decoder='decord'), READ[1]]
        dataset = PhaseVideoDataset(pipeline, 'gym99_train_organised.json', data_root=str(root), test_mode=True)
        sample = dataset[1]
        assert sample['inputs'].shape[2:] == (360, 640)
        frames = sample['inputs'].numpy().transpose(0, 2, 3, 1)
        shown = [(10 * (25 + number)) // 25 for number in [*range(10, 16), *range(20, 26), *range(2, 6)]]
        assert [index_of(frame) for frame in frames] == shown
        assert sample['data_samples'].frame_labels.tolist() == [7] * 6 + [6] * 6 + [12] * 4

    def test_what_is_chosen(self, root: Path, convert) -> None:
        order = root / 'annotations' / 'order.json'
        whole = ('--frames', 'organised', '--full-videos', root / 'whole', '--order', order)
        result = convert('finegym', *whole, '--missing-sets', 'drop', '--vault-stages', 'last')
        assert (
            result.status == 1 and 'gym99_val_organised.json: no video is left. Of the clips of events' in result.errors
        )
        order.write_text(json.dumps(dict(FX=dict(turns=[12], leaps=[6, 7]))))
        assert convert('finegym', *whole, '--vault-stages', 'last').status == 0
        found = self.videos(root, 'gym99_train_organised')
        assert found['vid_E_2'] == (1, [[2, 6, 12], [10, 16, 7], [20, 26, 6]])
        assert found['vid_E_1'] == (0, [[2, 12, -1], [12, 21, 3]]) and len(lines(root / 'classes.txt')) == 99

    def test_order_of_the_categories(self, root: Path, convert) -> None:
        whole = ('--frames', 'organised', '--full-videos', root / 'whole')
        assert 'or set --order' in convert('finegym', *whole).errors
        categories = root / 'annotations' / 'gym99_categories.txt'
        text = ''.join(f'Clabel: {n}; set: {s}; Glabel: 1; x\n' for n, s in ((3, 1), (7, 23), (12, 22), (6, 21)))
        categories.write_text(text)
        assert convert('finegym', *whole).status == 0
        assert [label for *_, label in self.videos(root, 'gym99_train_organised')['vid_E_2'][1]] == [6, 12, 7]
        categories.write_text(text.replace('Clabel: 7', 'Clabel: 8'))
        assert 'lacks the labels [7] of FX' in convert('finegym', *whole).errors
        categories.write_text(text.replace('Clabel: 7', 'Clabel: 6'))
        assert 'labels [6] have two' in convert('finegym', *whole).errors

    def test_events_and_clips(self, root: Path, convert) -> None:
        assert convert('finegym', '--frames', 'events', '--full-videos', root / 'whole').status == 0
        found = self.videos(root, 'gym99_train_events')
        # only the last stage of the vault, as in CARL's labels
        assert found['vid_E_1'] == (0, [[0, 12, -1], [12, 21, 3], [21, 25, -1]])
        assert found['vid_E_2'][1][:4] == [[0, 2, -1], [2, 6, 12], [6, 10, -1], [10, 16, 7]]
        assert len(lines(root / 'classes.txt')) == 99
        assert convert('finegym', '--frames', 'clips').status == 0
        found = self.videos(root, 'gym99_train_clips')
        assert found['vid_E_1_A_run'] == (3, [[2, 21, 3]]) and found['vid_E_2_A_c'] == (6, [[20, 26, 6]])
        assert 'vid_E_3_A_late' not in self.videos(root, 'gym99_val_clips')  # after the end of its event

    def test_what_is_refused(self, root: Path, convert) -> None:
        assert 'no video below' in convert('finegym', '--frames', 'events', '--videos', 'annotations').errors
        annotation = root / 'annotations' / 'finegym_annotation_info_v1.0.json'
        content = json.loads(annotation.read_text())
        write_video(root / 'videos.mp4', 3)
        for code, message in ((4, 'vid_E_1_A_run has the label 3, but its event is UB'), (9, 'vid_E_1 is of event 9')):
            content['vid']['E_1']['event'] = code
            annotation.write_text(json.dumps(content))
            assert message in convert('finegym', '--frames', 'events').errors
