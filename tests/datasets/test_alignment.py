"""Steps, context and groups of videos for alignment."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmsigma.datasets import ClassGroupSampler, PhaseVideoDataset
from mmsigma.datasets.transforms import PackAlignmentInputs, SampleAlignmentSteps, SampleAllFrames
from mmsigma.datasets.transforms.alignment import context_frames
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

    def test_positives_come_before(self) -> None:
        np.random.seed(1)
        steps = SampleAlignmentSteps(num_steps=6, num_context=1, positives=5)(dict(total_frames=50))['steps']
        gaps = steps[::2] - steps[1::2]
        assert len(steps) == 12 and (gaps[steps[::2] >= 5] >= 1).all() and (gaps <= 5).all()

    def test_packed(self) -> None:
        results = SampleAllFrames()(dict(total_frames=3, filename='a', action='2', frame_labels=np.array([0, 0, 1])))
        packed = PackAlignmentInputs()({**results, 'imgs': [np.zeros((4, 6, 3), np.uint8)] * 3})
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 3, 4, 6)
        assert sample.steps.tolist() == [0, 1, 2] and sample.frame_labels.tolist() == [0, 0, 1]
        assert (sample.num_frames, sample.action) == (3, '2')


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

    def test_no_class_with_two_videos(self) -> None:
        with pytest.raises(ValueError, match='no class has two videos'):
            ClassGroupSampler(Labels([0, 1, 2]))


def test_phases(tmp_path: Path) -> None:
    (tmp_path / 'phases').mkdir()
    (tmp_path / 'list.txt').write_text('a.mp4 1\nb.mp4 0\nc.mp4 0\n')
    for name in 'abc':
        (tmp_path / f'{name}.mp4').write_text('')
    np.save(tmp_path / 'phases/a.npy', np.array([0, 1, 1]))
    (tmp_path / 'phases/b.json').write_text(json.dumps(dict(phases=[0, 2])))
    dataset = PhaseVideoDataset([], 'list.txt', data_root=str(tmp_path), phases='phases', part='train')
    infos = [dataset.get_data_info(index) for index in range(2)]
    assert [info['frame_labels'].tolist() for info in infos] == [[0, 1, 1], [0, 2]]
    assert [(info['action'], info['subset']) for info in infos] == [('1', 'train'), ('0', 'train')]
    with pytest.raises(FileNotFoundError, match='no phases of c in .*phases'):
        dataset.get_data_info(2)
