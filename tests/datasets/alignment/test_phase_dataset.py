"""Steps, context and groups of videos for alignment."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets import ClassGroupSampler, PhaseVideoDataset
from mmsigma.datasets.alignment.phase_dataset import find_phases
from mmsigma.datasets.alignment.segment_index import SegmentedVideo, read_index, write_index
from mmsigma.datasets.transforms import PackAlignmentInputs, SampleAlignmentSteps, SampleAllFrames
from mmsigma.datasets.transforms.alignment import context_frames, resample_phases, transcript_of
from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from tests.datasets.clips import index_of, write_video
from tests.golden_gta import case_names, load_case


@pytest.mark.parametrize('name', case_names('sampling'))
def test_context_of_the_original(name: str) -> None:
    case = load_case('sampling', name)
    params = case.params
    if 'steps' in case:
        steps = case.arrays['steps']
    else:
        steps = np.arange(params['start'], params['start'] + params['num_steps'])
    # in its evaluation, steps beyond the end are clamped one later
    total = params['seq_len'] + ('steps' not in case)
    found = context_frames(steps, params['num_context'], params['stride'], total)
    assert found.tolist() == case.arrays['indices'].tolist()


class TestSteps:
    def test_random(self) -> None:
        np.random.seed(0)
        sampling = SampleAlignmentSteps(num_steps=5, num_context=2, context_stride=3)
        seen = set()
        for _ in range(100):
            results = sampling(dict(total_frames=12))
            steps = results['steps']
            assert (np.diff(steps) > 0).all() and steps[0] >= 1 and steps[-1] <= 11
            assert results['frame_inds'].tolist() == context_frames(steps, 2, 3, 12).tolist()
            seen.update(steps.tolist())
        assert seen == set(range(1, 12))

    def test_short_videos_repeat_their_last_frame(self) -> None:
        steps = SampleAlignmentSteps(num_steps=5, num_context=1)(dict(total_frames=3))['steps']
        assert steps.tolist() == [0, 1, 2, 2, 2]
        assert SampleAlignmentSteps(num_steps=5)(dict(total_frames=5))['steps'].tolist() == [0, 1, 2, 3, 4]

    def test_stride(self) -> None:
        steps = SampleAlignmentSteps(num_steps=4, sampling='stride')(dict(total_frames=43))['steps']
        assert steps.tolist() == [1, 11, 21, 31]
        with pytest.raises(ValueError, match="sampling must be 'random' or 'stride'"):
            SampleAlignmentSteps(sampling='even')

    def test_stride_from_a_random_start(self) -> None:
        np.random.seed(0)
        sampling = SampleAlignmentSteps(num_steps=4, sampling='stride', stride=3)
        drawn = np.stack([sampling(dict(total_frames=15))['steps'] for _ in range(60)])
        assert (np.diff(drawn) == 3).all() and set(drawn[:, 0]) == {0, 1, 2, 3}
        assert sampling(dict(total_frames=8))['steps'].tolist() == [0, 3, 6, 7]
        for wrong in (dict(stride=3), dict(sampling='stride', stride=0), dict(num_steps=0), dict(offset=-1)):
            with pytest.raises(ValueError, match='positive'):
                SampleAlignmentSteps(**wrong)

    def test_first_frame(self) -> None:
        np.random.seed(0)
        sampling = SampleAlignmentSteps(num_steps=4, num_context=1, offset=0)
        assert {step for _ in range(50) for step in sampling(dict(total_frames=6))['steps'].tolist()} == set(range(6))
        assert sampling(dict(total_frames=4))['steps'].tolist() == [0, 1, 2, 3]

    def test_positives_come_before_each_distance_as_often(self) -> None:
        np.random.seed(1)
        steps = SampleAlignmentSteps(num_steps=6000, num_context=1, positives=5)(dict(total_frames=8000))['steps']
        anchors, gaps = steps[::2], steps[::2] - steps[1::2]
        assert len(steps) == 12000 and (np.diff(anchors) > 0).all()
        distances, counts = np.unique(gaps[anchors >= 5], return_counts=True)
        assert distances.tolist() == [1, 2, 3, 4, 5] and counts.min() > 1100 and counts.max() < 1300
        early = SampleAlignmentSteps(num_steps=400, num_context=1, positives=5)(dict(total_frames=3))['steps']
        assert set(map(tuple, early.reshape(-1, 2).tolist())) == {(0, 0), (1, 0), (2, 0), (2, 1)}

    def test_packed(self) -> None:
        results = SampleAllFrames()(dict(total_frames=3, filename='a', action='2', frame_labels=np.array([0, 0, 1])))
        packed = PackAlignmentInputs()({**results, 'imgs': [np.zeros((4, 6, 3), np.uint8)] * 3})
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 3, 4, 6)
        assert sample.steps.tolist() == [0, 1, 2] and sample.frame_labels.tolist() == [0, 0, 1]
        assert (sample.num_frames, sample.action) == (3, '2') and sample.transcript.tolist() == [0, 1]


class Labels:
    """A data set that is nothing but labels."""

    def __init__(self, labels: list[int]) -> None:
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def get_data_info(self, index: int) -> dict:
        return dict(label=self.labels[index])


class TestGroups:
    def test_groups_are_of_one_class_each_as_often(self) -> None:
        labels = [0] * 40 + [1] * 5 + [2] * 3 + [3]
        sampler = ClassGroupSampler(Labels(labels), group_size=4, seed=3)
        drawn: list[int] = []
        for epoch in range(30):
            sampler.set_epoch(epoch)
            indices = [int(index) for index in sampler]
            assert len(indices) == len(sampler) == 48
            groups = np.array(indices).reshape(-1, 4)
            assert all(len({labels[index] for index in group}) == 1 for group in groups)
            drawn += [labels[group[0]] for group in groups]
        shares = np.bincount(drawn, minlength=4) / len(drawn)
        assert shares[3] == 0 and np.abs(shares[:3] - 1 / 3).max() < 0.08

    def test_repeats_itself_and_goes_on(self) -> None:
        sampler = ClassGroupSampler(Labels([0, 0, 0, 1, 1, 1, 1, 1]), group_size=2, seed=3)
        whole = [(int(index), index.seed) for index in sampler]
        assert whole == [(int(index), index.seed) for index in sampler]
        assert len({seed for _, seed in whole}) == len(whole)
        sampler.skip_once(4)
        assert [(int(index), index.seed) for index in sampler] == whole[4:]

    def test_processes_draw_with_seeds_of_their_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seeds = []
        for rank in range(2):
            monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 2))
            # so few videos that both processes draw each of them
            seeds += [index.seed for index in ClassGroupSampler(Labels([0, 0]), group_size=2, seed=3, num_groups=5)]
        assert len(seeds) == len(set(seeds)) == 20 and len({index for _, _, index, _ in seeds}) == 2

    def test_processes_share_the_groups_of_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def draw(rank: int, processes: int) -> np.ndarray:
            monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: (rank, processes))
            sampler = ClassGroupSampler(Labels([0] * 5 + [1] * 3), group_size=2, seed=3, num_groups=12 // processes)
            sampler.set_epoch(2)
            return np.array([index.seed for index in sampler]).reshape(-1, 2, 4)

        whole = draw(0, 1)
        for processes in (2, 3):
            for rank in range(processes):
                assert (draw(rank, processes) == whole[rank::processes]).all()

    def test_no_class_with_two_videos(self) -> None:
        with pytest.raises(ValueError, match='no class has two videos: .* from 3 videos of 3 classes'):
            ClassGroupSampler(Labels([0, 1, 2]))
        for wrong in (dict(group_size=1), dict(num_groups=0)):
            with pytest.raises(ValueError, match='group_size must be at least 2'):
                ClassGroupSampler(Labels([0, 0]), **wrong)

    def test_a_class_of_one_video_is_named(self, warnings_logged: list[str]) -> None:
        sampler = ClassGroupSampler(Labels([0, 0, 7, 1, 1]), group_size=2, seed=0)
        assert 2 not in {int(index) for epoch in range(5) for index in sampler}
        assert '1 classes with one video are left out: [7]' in warnings_logged[0]

    def test_epochs_of_a_given_length(self) -> None:
        sampler = ClassGroupSampler(Labels([0] * 5), group_size=4, seed=0, num_groups=30)
        drawn = [int(index) for index in sampler]
        assert len(drawn) == len(sampler) == 120 and set(drawn) == set(range(5))


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

    (tmp_path / 'list.txt').write_text('a.mp4 2\na.mp4 0\na.mp4 3\na.mp4 1\na.mp4\n')
    (tmp_path / 'a.mp4').write_text('')
    assert actions() == ['2', '0', '3', '1', '-1']
    (tmp_path / 'classes.txt').write_text('bowl\n\ntennis serve\n')
    assert actions() == ['tennis serve', 'bowl', '3', '1', '-1']
    assert actions(label_range=(2, 3)) == ['tennis serve', '1']
    (tmp_path / 'classes.txt').write_text('bowl\nbowl\n')
    with pytest.raises(ValueError, match=r"classes\.txt contains 'bowl' twice"):
        actions()
    write_index(tmp_path / 'list.json', [SegmentedVideo('a.mp4', 'a', 1, ((0, 2, 0),))], {})
    assert PhaseVideoDataset([], 'list.json', data_root=str(tmp_path)).get_data_info(0)['action'] == '1'


def test_folders_with_pictures_of_two_sizes(tmp_path: Path) -> None:
    (tmp_path / 'walk').mkdir()
    for number, size in enumerate([(24, 32), (24, 32), (20, 32)]):
        assert cv2.imwrite(str(tmp_path / 'walk' / f'{number}.png'), np.full((*size, 3), number, np.uint8))
    (tmp_path / 'list.txt').write_text('walk 0\n')
    read = dict(type='ReadClip', decoder='frames', sampling=dict(type='SampleAllFrames'))
    dataset = PhaseVideoDataset([read], 'list.txt', data_root=str(tmp_path), test_mode=True)
    with pytest.raises(UnreadableVideoError, match=r'walk cannot be read: .*: 0\.png is 32 x 24, 2\.png 32 x 20'):
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


def test_phases_of_another_frame_rate() -> None:
    phases = np.arange(9) // 3
    assert resample_phases(phases, 9).tolist() == phases.tolist()
    assert resample_phases(phases, 4).tolist() == phases[[0, 2, 4, 6]].tolist()
    longer = resample_phases(phases, 20)
    kept = np.arange(9) * 20 // 9  # the frames that CARL keeps
    assert longer[kept].tolist() == phases.tolist() and (np.diff(longer) >= 0).all() and len(longer) == 20
    results = dict(total_frames=4, filename='a', frame_inds=np.arange(4), frame_labels=phases)
    results['imgs'] = [np.zeros((4, 6, 3), np.uint8)] * 4
    with pytest.raises(ValueError, match='a has 4 frames but 9 frame labels: set resample_phases=True'):
        PackAlignmentInputs()(dict(results))
    assert PackAlignmentInputs(resample_phases=True)(results)['data_samples'].frame_labels.tolist() == [0, 0, 1, 2]


def test_transcripts() -> None:
    for labels, expected in (
        ([2, 2, 0, 0, 0, 2], [2, 0, 2]),
        ([-1, 5, 5, -1, 5, 7, -1], [5, 7]),  # background does not make a label begin anew
        ([-1, -1], []),
    ):
        assert transcript_of(np.array(labels)).tolist() == expected


def test_transcripts_of_several_actions() -> None:
    results = dict(total_frames=3, filename='a', frame_inds=np.arange(3), frame_labels=np.array([0, 0, 2]), label=4)
    results['imgs'] = [np.zeros((4, 6, 3), np.uint8)] * 3
    packed = PackAlignmentInputs(phases_per_action=3)(results)['data_samples']
    assert packed.transcript.tolist() == [12, 14] and packed.frame_labels.tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match='a has the phase 2: phases_per_action must be at least 3'):
        PackAlignmentInputs(phases_per_action=2)(results)
    with pytest.raises(ValueError, match='a has no action label in the list'):
        PackAlignmentInputs(phases_per_action=3)(dict(results, label=-1))
    background = dict(results, frame_labels=np.full(3, -1))
    assert PackAlignmentInputs(phases_per_action=3)(background)['data_samples'].transcript.tolist() == []


class TestPieces:
    """Videos put together from segments of files."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        write_video(tmp_path / 'clip.mp4')
        videos = [
            SegmentedVideo('clip.mp4', 'late first', 3, ((20, 24, 7), (2, 5, 4), (9, 10, -1))),
            SegmentedVideo('clip.mp4', 'whole', 1, ((0, 28, 2),)),
        ]
        write_index(tmp_path / 'index.json', videos, dict(order='as \u00e9 given'))
        assert read_index(tmp_path / 'index.json') == videos
        return tmp_path

    def test_read_as_one_video(self, root: Path) -> None:
        pipeline = [dict(type='ReadClip', sampling=dict(type='SampleAllFrames')), dict(type='PackAlignmentInputs')]
        dataset = PhaseVideoDataset(pipeline, 'index.json', data_root=str(root), test_mode=True)
        sample = dataset[0]
        assert [index_of(frame) for frame in sample['inputs'].numpy()] == [20, 21, 22, 23, 2, 3, 4, 9]
        packed = sample['data_samples']
        assert packed.frame_labels.tolist() == [7, 7, 7, 7, 4, 4, 4, -1] and packed.steps.tolist() == list(range(8))
        assert (packed.filename, packed.action, packed.num_frames) == ('late first', '3', 8)
        assert packed.transcript.tolist() == [7, 4]
        assert dataset[1]['data_samples'].num_frames == 28

    def test_context_goes_over_the_seams(self, root: Path) -> None:
        sampling = dict(type='SampleAlignmentSteps', num_steps=2, num_context=2, context_stride=2, sampling='stride')
        pipeline = [dict(type='ReadClip', sampling=sampling), dict(type='PackAlignmentInputs')]
        dataset = PhaseVideoDataset(pipeline, 'index.json', data_root=str(root))
        sample = dataset[0]
        assert sample['data_samples'].steps.tolist() == [1, 5]
        assert [index_of(frame) for frame in sample['inputs'].numpy()] == [20, 21, 23, 3]

    def test_classes_of_a_list(self, root: Path) -> None:
        dataset = PhaseVideoDataset([], 'index.json', data_root=str(root), label_range=(3, 4))
        assert [(info['name'], info['label']) for info in map(dataset.get_data_info, range(len(dataset)))] == [
            ('late first', 0)
        ]

    def test_files_that_changed(self, root: Path) -> None:
        write_video(root / 'clip.mp4', 22)
        read = dict(type='ReadClip', sampling=dict(type='SampleAllFrames'))
        dataset = PhaseVideoDataset([read], 'index.json', data_root=str(root), test_mode=True)
        with pytest.raises(UnreadableVideoError, match='the index refers to frame 23, but the file has 22 frames'):
            dataset[0]
        (root / 'clip.mp4').unlink()
        with pytest.raises(FileNotFoundError, match='none of 2 videos looked for'):
            PhaseVideoDataset([read], 'index.json', data_root=str(root))

    @pytest.mark.parametrize(
        ('content', 'message'),
        [
            ('{', 'index.json is not an index'),
            ('[]', 'index.json is not an index'),
            ('{"videos": []}', 'has no videos'),
            (
                '{"videos": [{"path": "a", "name": "b", "label": 1, "segments": []}]}',
                'video b is not an index .*one frame',
            ),
            ('{"videos": [{"path": "a", "name": "b", "label": 1, "segments": [[3, 3, 1]]}]}', 'b is not an index'),
            ('{"videos": [{"path": "a", "name": "b", "label": 1, "segments": [[3, 4]]}]}', 'video b is not an index'),
            ('{"videos": [{"path": "a", "name": "b"}]}', 'video b is not an index'),
        ],
    )
    def test_other_files(self, tmp_path: Path, content: str, message: str) -> None:
        (tmp_path / 'index.json').write_text(content)
        with pytest.raises(ValueError, match=message):
            read_index(tmp_path / 'index.json')


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
    assert [(Path(name).name, reason) for name, reason in sample.failures] == [('v1', '2.png is not an image')]
    assert {dataset.replacement(0) for _ in range(20)} == {3}
