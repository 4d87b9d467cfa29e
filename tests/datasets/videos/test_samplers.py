"""Indices that carry their seed, and passes that start in the middle."""

import copy
import pickle

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler

from mmsigma.datasets import ClassGroupSampler, SeededIndex, SeededSampler

DATASET = range(20)


def sampler(shuffle: bool = True, seed: int = 7, epoch: int = 3) -> SeededSampler:
    made = SeededSampler(DATASET, shuffle=shuffle, seed=seed)
    made.set_epoch(epoch)
    return made


@pytest.mark.parametrize('duplicate', [copy.copy, copy.deepcopy, lambda index: pickle.loads(pickle.dumps(index))])
def test_index_keeps_its_seed(duplicate) -> None:
    index = duplicate(SeededIndex.of(4, (1, 2, 4)))
    assert type(index) is SeededIndex and index == 4 and index.seed == (1, 2, 4)
    assert DATASET[index] == 4


@pytest.mark.parametrize('shuffle', [True, False])
def test_order_is_that_of_mmengine(shuffle: bool) -> None:
    reference = DefaultSampler(DATASET, shuffle=shuffle, seed=7)
    reference.set_epoch(3)
    assert list(sampler(shuffle)) == list(reference)


def test_seed_is_of_run_epoch_and_index() -> None:
    assert [index.seed for index in sampler()] == [(7, 3, int(index)) for index in sampler()]


def test_epochs_differ() -> None:
    assert list(sampler(epoch=3)) != list(sampler(epoch=4))


@pytest.mark.parametrize('num_samples', [0, 6, 20, 99])
def test_samples_are_skipped_once(num_samples: int) -> None:
    expected, made = list(sampler()), sampler()
    made.skip_once(num_samples)
    assert list(made) == expected[num_samples:]
    assert list(made) == expected


class Labels:
    """A dataset that is nothing but labels."""

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
