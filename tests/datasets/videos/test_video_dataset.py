"""Videos from lists and folders, replacement of bad videos, and reproducible randomness."""

import random
from pathlib import Path

import numpy as np
import pytest
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmsigma.datasets import SeededIndex, SeededSampler, VideoDataset
from mmsigma.datasets.transforms import UnreadableVideoError
from mmsigma.datasets.videos.video_dataset import find_frame_folders, find_videos
from tests.datasets.clips import index_of

PIPELINE = [
    dict(type='ReadClip', decoder='pyav', sampling=dict(type='SampleStridedClip', clip_len=4, frame_interval=2)),
    dict(type='MultiScaleCrop', size=16),
    dict(type='TubeMask', grid=(2, 2, 2), mask_ratio=0.5),
    dict(type='PackVideoInputs'),
]


def write_list(folder: Path, *lines: str, name: str = 'list.txt', encoding: str = 'utf-8') -> Path:
    path = folder / name
    path.write_text('\n'.join(lines) + '\n', encoding=encoding)
    return path


class TestFolders:
    def test_finds_videos_below_sorted(self, tmp_path: Path) -> None:
        for name in ('b/2.MP4', 'b/1.mkv', 'a/deep/er/3.avi', 'notes.txt', 'b/thumb.jpg'):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / 'folder.mp4').mkdir()
        assert [str(path.relative_to(tmp_path)) for path in find_videos(tmp_path)] == [
            'a/deep/er/3.avi',
            'b/1.mkv',
            'b/2.MP4',
        ]

    def test_folder_is_missing_or_has_no_video(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match='no folder of videos at .*nowhere: set data_root'):
            find_videos(tmp_path / 'nowhere')
        (tmp_path / 'notes.txt').touch()
        (tmp_path / 'a.tar').touch()
        with pytest.raises(ValueError, match=r'but shards such as a\.tar: list their videos with mmsigma list-shards'):
            find_videos(tmp_path)
        (tmp_path / 'a.tar').unlink()
        with pytest.raises(ValueError, match='no video below .*looked for .mp4'):
            find_videos(tmp_path)

    def test_hidden_files_are_no_videos(self, tmp_path: Path) -> None:
        for name in ('a.mp4', '._a.mp4', '.hidden/b.mp4', '__MACOSX/._c.mp4', '.DS_Store', 'Thumbs.db'):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b'')
        assert [path.name for path in find_videos(tmp_path)] == ['a.mp4']

    def test_dataset_without_list_uses_the_folder(self, videos: Path) -> None:
        dataset = VideoDataset(PIPELINE, data_prefix=dict(video=str(videos)))
        assert [Path(dataset.get_data_info(index)['filename']).name for index in range(len(dataset))] == [
            f'{number}.mp4' for number in range(6)
        ]
        assert 'gt_label' not in dataset[0]['data_samples']

    def test_list_and_folder_are_relative_to_the_root(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / 'clips').symlink_to(videos)
        write_list(tmp_path, '2.mp4 5', name='train.txt')
        dataset = VideoDataset(PIPELINE, 'train.txt', dict(video='clips'), data_root=str(tmp_path))
        sample = dataset[0]['data_samples']
        assert sample.filename == str(tmp_path / 'clips' / '2.mp4') and sample.gt_label.tolist() == [5]

    def test_missing_list(self, videos: Path, tmp_path: Path, warnings_logged: list[str]) -> None:
        settings = dict(ann_file=str(tmp_path / 'train.txt'), data_prefix=dict(video=str(videos)))
        with pytest.raises(FileNotFoundError, match=r'no video list at .*train.txt. Write one .* or set ann_file='):
            VideoDataset(PIPELINE, **settings)
        assert not warnings_logged
        with pytest.raises(FileNotFoundError, match='no video list at .*train.txt'):
            VideoDataset(PIPELINE, **settings, optional_list='other.txt')
        assert len(VideoDataset(PIPELINE, **settings, optional_list=settings['ann_file'])) == 6
        assert [message for message in warnings_logged if 'train.txt: using all 6 videos' in message]

    def test_none_of_the_videos_listed(self, tmp_path: Path) -> None:
        write_list(tmp_path, *(f'{number}.mp4 0' for number in range(1000)))
        with pytest.raises(FileNotFoundError, match=r'none of 100 .* out of 1000 .*/0\.mp4\. Check data_root'):
            VideoDataset(PIPELINE, 'list.txt', data_root=str(tmp_path))
        (tmp_path / '500.mp4').touch()
        assert len(VideoDataset(PIPELINE, 'list.txt', data_root=str(tmp_path))) == 1000


class TestFormats:
    def folders(self, root: Path, num_frames: int) -> None:
        for name in ('v_1', 'v_2'):
            (root / name).mkdir()
            for number in range(num_frames):
                (root / name / f'img_{number:05d}.jpg').touch()

    def test_folders_with_their_numbers_of_frames(self, tmp_path: Path) -> None:
        self.folders(tmp_path, 12)
        write_list(tmp_path, 'v_1 12 3', 'v_2 12 0')
        dataset = VideoDataset(PIPELINE, 'list.txt', data_root=str(tmp_path))
        entries = [dataset.get_data_info(index) for index in range(2)]
        assert [(entry['filename'], entry['label']) for entry in entries] == [
            (str(tmp_path / 'v_1'), 3),
            (str(tmp_path / 'v_2'), 0),
        ]

    def test_other_numbers_of_frames_are_refused(self, tmp_path: Path) -> None:
        self.folders(tmp_path, 3)
        write_list(tmp_path, 'v_1 3 12', 'v_2 12 3')
        with pytest.raises(ValueError, match=r'list.txt, line 2 states 12 frames, but .*v_2 has 3 images: the columns'):
            VideoDataset(PIPELINE, 'list.txt', data_root=str(tmp_path))
        write_list(tmp_path, 'clip 12 3')
        (tmp_path / 'clip').touch()
        with pytest.raises(ValueError, match=r'list.txt, line 1: .*is for folders of frames, but .*clip is a file'):
            VideoDataset(PIPELINE, 'list.txt', data_root=str(tmp_path))

    def test_several_labels_become_multi_hot(self, videos: Path, tmp_path: Path) -> None:
        path = write_list(tmp_path, f'{videos}/1.mp4 1,4', f'{videos}/2.mp4 0')
        dataset = VideoDataset(PIPELINE, str(path), multi_class=True, num_classes=5)
        assert dataset[0]['data_samples'].gt_label.tolist() == [0, 1, 0, 0, 1]
        assert dataset[1]['data_samples'].gt_label.tolist() == [1, 0, 0, 0, 0]
        with pytest.raises(ValueError, match=r'list.txt, line 1: there is a label 4, but num_classes is 4'):
            VideoDataset(PIPELINE, str(path), multi_class=True, num_classes=4)
        with pytest.raises(ValueError, match='multi_class=True requires num_classes'):
            VideoDataset(PIPELINE, str(path), multi_class=True)
        with pytest.raises(ValueError, match='list.txt, line 1: .*multi_class=True'):
            VideoDataset(PIPELINE, str(path))

    @pytest.mark.parametrize('line', ['', ' -1', ' 1,-1'])
    def test_several_labels_are_required(self, videos: Path, tmp_path: Path, line: str) -> None:
        """No label at all would become the target of a video that shows no class, or the last one."""
        path = write_list(tmp_path, f'{videos}/1.mp4 1,4', f'{videos}/2.mp4{line}')
        with pytest.raises(ValueError, match=r'list.txt, line 2: .*2\.mp4 has no label, but multi_class=True requires'):
            VideoDataset(PIPELINE, str(path), multi_class=True, num_classes=5)
        with pytest.raises(ValueError, match='multi_class=True requires a list'):
            VideoDataset(PIPELINE, '', dict(video=str(videos)), multi_class=True, num_classes=5)
        table = write_list(tmp_path, 'path,duration', f'{videos}/1.mp4,3')
        with pytest.raises(ValueError, match=r'list.txt, line 2: .*1\.mp4 has no label, but multi_class=True requires'):
            VideoDataset(PIPELINE, str(table), multi_class=True, num_classes=5)


@pytest.fixture
def damaged(videos: Path, tmp_path: Path) -> Path:
    """A list of six good videos, and four others: missing, empty, garbage and a folder."""
    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'garbage.mp4').write_bytes(b'garbage' * 100)
    (tmp_path / 'folder.mp4').mkdir()
    good = [f'{videos}/{number}.mp4 {number}' for number in range(6)]
    return write_list(
        tmp_path, *good, *(f'{tmp_path}/{name}.mp4 9' for name in ('missing', 'empty', 'garbage', 'folder'))
    )


def damaged_dataset(path: Path, **kwargs) -> VideoDataset:
    return VideoDataset(PIPELINE, str(path), **kwargs)


class TestReplacement:
    def test_good_videos_have_no_failures(self, damaged: Path) -> None:
        sample = damaged_dataset(damaged)[2]['data_samples']
        assert sample.failures == [] and sample.gt_label.tolist() == [2]

    @pytest.mark.parametrize('index', [6, 7, 8, 9])
    def test_failures_are_recorded_with_the_replacement(self, damaged: Path, index: int) -> None:
        dataset = damaged_dataset(damaged)
        out = dataset[SeededIndex.of(index, (0, 0, index))]
        sample = out['data_samples']
        assert sample.failures[0][0] == dataset.get_data_info(index)['filename'] and sample.failures[0][1]
        assert sample.filename == dataset.get_data_info(int(sample.gt_label))['filename']
        assert out['inputs'].shape == (3, 4, 16, 16)

    def test_replacement_follows_the_seed(self, damaged: Path) -> None:
        dataset = damaged_dataset(damaged)
        draws = [[dataset[SeededIndex.of(7, (run, 3, 7))]['data_samples'] for run in range(8)] for _ in range(2)]
        names, again = ([(sample.filename, sample.failures) for sample in samples] for samples in draws)
        assert names == again and len({name for name, _ in names}) > 2

    def test_gives_up_after_enough_replacements(self, tmp_path: Path) -> None:
        class CountOpenings(BaseTransform):
            seen = 0

            def transform(self, results: dict) -> dict:
                self.seen += 1
                raise UnreadableVideoError(results['filename'], 'broken')

        step = CountOpenings()
        (tmp_path / 'a.mp4').touch()
        folder = dict(video=str(tmp_path))
        dataset = VideoDataset([step], str(write_list(tmp_path, 'a.mp4 0', 'b.mp4 1')), folder, max_refetch=4)
        with pytest.raises(UnreadableVideoError, match='broken'):
            dataset[0]
        assert step.seen == 1 + 4

    def test_tests_replace_nothing(self, damaged: Path) -> None:
        dataset = damaged_dataset(damaged, test_mode=True)
        assert dataset[0]['data_samples'].filename.endswith('0.mp4')
        with pytest.raises(UnreadableVideoError, match='missing.mp4'):
            dataset[6]

    def test_other_faults_are_not_hidden(self, videos: Path) -> None:
        def fail(results: dict) -> dict:
            raise ZeroDivisionError('a bug')

        with pytest.raises(ZeroDivisionError, match='a bug'):
            VideoDataset([*PIPELINE[:1], fail], data_prefix=dict(video=str(videos)))[0]


class TestRandomness:
    def test_sample_is_a_function_of_its_seed(self, videos: Path) -> None:
        dataset = VideoDataset(PIPELINE, data_prefix=dict(video=str(videos)))
        first, again, other = (dataset[SeededIndex.of(1, (0, epoch, 1))] for epoch in (3, 3, 4))
        assert first['inputs'].equal(again['inputs'])
        assert first['data_samples'].mask.equal(again['data_samples'].mask)
        assert first['data_samples'].crop_box == again['data_samples'].crop_box
        assert not first['inputs'].equal(other['inputs'])

    def test_frames_are_those_of_the_metadata(self, videos: Path) -> None:
        sample = VideoDataset(PIPELINE, data_prefix=dict(video=str(videos)))[SeededIndex.of(1, (0, 0, 1))]
        frames = sample['inputs'].permute(1, 2, 3, 0).numpy()
        assert [index_of(frame) for frame in frames] == sample['data_samples'].frame_inds.tolist()

    @pytest.mark.parametrize('index', [SeededIndex.of(7, (0, 0, 7)), SeededIndex.of(1, (5, 0, 1))])
    def test_global_generators_are_left_alone(self, damaged: Path, index: SeededIndex) -> None:
        dataset = damaged_dataset(damaged)
        before = np.random.get_state()[1].copy(), random.getstate()
        dataset[index]
        assert (np.random.get_state()[1] == before[0]).all() and random.getstate() == before[1]

    def test_python_and_numpy_are_seeded(self, videos: Path) -> None:
        def draw(results: dict) -> tuple[float, float]:
            return random.random(), np.random.rand()

        dataset = VideoDataset([draw], data_prefix=dict(video=str(videos)))
        first, again, other = (dataset[SeededIndex.of(1, (0, epoch, 1))] for epoch in (3, 3, 4))
        assert first == again and first[0] != other[0] and first[1] != other[1]

    def test_plain_index_draws_from_the_global_generator(self, videos: Path) -> None:
        dataset = VideoDataset(PIPELINE, data_prefix=dict(video=str(videos)))
        np.random.seed(5)
        first = [dataset[1]['inputs'] for _ in range(2)]
        np.random.seed(5)
        assert dataset[1]['inputs'].equal(first[0]) and not first[0].equal(first[1])

    def test_workers_and_interruptions_change_nothing(self, damaged: Path) -> None:
        dataset = damaged_dataset(damaged)

        def load(num_workers: int, skip: int = 0) -> list[tuple]:
            sampler = SeededSampler(dataset, shuffle=True, seed=3)
            sampler.set_epoch(2)
            sampler.skip_once(skip)
            loader = DataLoader(dataset, 2, sampler=sampler, num_workers=num_workers, collate_fn=pseudo_collate)
            return [
                (clip.tolist(), sample.mask.tolist(), sample.filename, sample.failures)
                for batch in loader
                for clip, sample in zip(batch['inputs'], batch['data_samples'], strict=True)
            ]

        expected = load(0)
        assert len(expected) == 10 and load(2) == expected and load(2, skip=4) == expected[4:]


def test_hidden_files_are_no_data(tmp_path: Path) -> None:
    for place in ('a', '.Trashes', '__MACOSX', 'a/.cache'):
        (tmp_path / place).mkdir()
        for name in ('clip.mp4', '._clip.mp4', '.DS_Store', '0.png', '._0.png'):
            (tmp_path / place / name).write_bytes(b'x')
    assert find_videos(tmp_path) == [tmp_path / 'a' / 'clip.mp4']
    assert find_frame_folders(tmp_path) == [tmp_path / 'a']


def test_names_of_classes_are_metadata(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f'{number}.mp4').touch()
    write_list(tmp_path, *(f'{number}.mp4 {number}' for number in range(4)))
    settings = dict(ann_file='list.txt', data_root=str(tmp_path))
    assert 'classes' not in VideoDataset([], **settings).metainfo
    (tmp_path / 'classes.txt').write_text('a\nb b\nc\nd\n\n')
    assert VideoDataset([], **settings).metainfo['classes'] == ['a', 'b b', 'c', 'd']
    assert VideoDataset([], label_range=(1, 2), **settings).metainfo['classes'] == ['b b', 'c']
    own = VideoDataset([], metainfo=dict(classes=['w', 'x', 'y', 'z']), **settings)
    assert own.metainfo['classes'] == ['w', 'x', 'y', 'z']
    (tmp_path / 'classes.txt').write_text('a\na\n')
    with pytest.raises(ValueError, match=r"classes\.txt contains 'a' twice"):
        VideoDataset([], **settings)


def test_a_folder_is_no_pipeline() -> None:
    with pytest.raises(TypeError, match="first argument is the list of transforms; videos are data_root='my_videos'"):
        VideoDataset('my_videos')
