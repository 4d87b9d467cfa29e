"""Videos that cannot be read become reasons, and nothing else does."""

from pathlib import Path

import pytest
from torch.utils.data import DataLoader

from mmsigma.datasets import VideoDataset
from mmsigma.datasets.videos.tolerant_dataset import ReadResult, TolerantDataset
from tests.datasets.clips import index_of

READ = dict(type='ReadClip', decoder='pyav', sampling=dict(type='SampleDenseClip', clip_len=2, frame_interval=1))


@pytest.fixture
def dataset(videos: Path, tmp_path: Path) -> VideoDataset:
    """Two good videos around one of garbage."""
    (tmp_path / 'bad.mp4').write_bytes(b'no video' * 50)
    listed = [f'{videos}/0.mp4 4', f'{tmp_path}/bad.mp4 5', f'{videos}/1.mp4 6']
    (tmp_path / 'list.txt').write_text('\n'.join(listed))
    return VideoDataset([READ], str(tmp_path / 'list.txt'), test_mode=True)


def test_a_damaged_video_is_a_reason(dataset: VideoDataset, tmp_path: Path) -> None:
    good, bad, last = (TolerantDataset(dataset)[index] for index in range(3))
    assert (bad.place, bad.path, bad.sample) == (1, str(tmp_path / 'bad.mp4'), None) and 'Invalid data' in bad.reason
    assert [(one.place, one.reason, one.sample['label']) for one in (good, last)] == [(0, '', 4), (2, '', 6)]
    numbers = good.sample['frame_inds'].tolist()
    assert [index_of(frame) for frame in good.sample['imgs']] == numbers


def test_chosen_places_in_their_order(dataset: VideoDataset) -> None:
    chosen = TolerantDataset(dataset, [1, 2])
    assert len(chosen) == 2 and [chosen[index].place for index in range(2)] == [1, 2]
    assert len(TolerantDataset(dataset, [])) == 0 and len(TolerantDataset(dataset)) == 3


def test_batches_are_lists_of_results(dataset: VideoDataset) -> None:
    batches = list(DataLoader(TolerantDataset(dataset), batch_size=2, collate_fn=list))
    assert [[result.place for result in batch] for batch in batches] == [[0, 1], [2]]
    assert all(isinstance(result, ReadResult) for batch in batches for result in batch)


def test_other_errors_stay_errors(videos: Path) -> None:
    def fail(results: dict) -> dict:
        raise ZeroDivisionError('a bug')

    dataset = TolerantDataset(VideoDataset([fail], data_prefix=dict(video=str(videos)), test_mode=True))
    with pytest.raises(ZeroDivisionError, match='a bug'):
        dataset[0]
