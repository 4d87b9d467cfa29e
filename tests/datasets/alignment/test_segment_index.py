"""Videos put together from segments of files."""

from pathlib import Path

import pytest

from mmsigma.datasets import PhaseVideoDataset
from mmsigma.datasets.alignment.segment_index import SegmentedVideo, read_segment_index, write_segment_index
from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from tests.datasets.clips import index_of, write_video


class TestSegmentIndex:
    """Videos put together from segments of files."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        write_video(tmp_path / 'clip.mp4')
        videos = [
            SegmentedVideo('clip.mp4', 'late first', 3, ((20, 24, 7), (2, 5, 4), (9, 10, -1))),
            SegmentedVideo('clip.mp4', 'whole', 1, ((0, 28, 2),)),
        ]
        write_segment_index(tmp_path / 'index.json', videos, dict(order='as \u00e9 given'))
        assert read_segment_index(tmp_path / 'index.json') == videos
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
            read_segment_index(tmp_path / 'index.json')
