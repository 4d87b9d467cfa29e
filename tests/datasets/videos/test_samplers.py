"""Indices that carry their seed, and passes that start in the middle."""

import copy
import pickle

import pytest
from mmengine.dataset import DefaultSampler

from mmsigma.datasets import SeededIndex, SeededSampler

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
