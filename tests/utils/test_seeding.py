"""Seeds settle all global generators, for a block or for good."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from mmsigma.utils.seeding import seed_everything, seeded_numpy


def draw(seed: Sequence[int]) -> tuple[float, float]:
    with seeded_numpy(seed):
        return np.random.rand(), random.random()


def state() -> tuple:
    return np.random.get_state()[1].tolist(), np.random.get_state()[2], random.getstate()


def test_numbers_in_a_block_are_a_function_of_the_seed() -> None:
    first = draw((3, 1, 4))
    assert draw((3, 1, 4)) == first
    others = [draw(seed) for seed in ((3, 1, 5), (4, 1, 3), (3, 14), (31, 4))]
    for generator in range(2):
        assert len({first[generator], *(other[generator] for other in others)}) == 5


def test_a_block_leaves_no_trace() -> None:
    before = state()
    draw((1, 2))
    assert state() == before
    with pytest.raises(KeyError), seeded_numpy((1, 2)):
        np.random.rand(5), random.random()
        raise KeyError
    assert state() == before


def test_without_a_seed_the_generators_run_on() -> None:
    np.random.seed(7)
    expected = np.random.rand(3)
    np.random.seed(7)
    with seeded_numpy(None):
        found = [np.random.rand(), np.random.rand()]
    np.testing.assert_array_equal([*found, np.random.rand()], expected)


@pytest.mark.parametrize('seed', [0, 5, 2**32 + 5, 2**63 - 1])
def test_everything_is_seeded(seed: int) -> None:
    def numbers(value: int) -> tuple[float, float, float]:
        seed_everything(value)
        return torch.rand(()).item(), np.random.rand(), random.random()

    found = numbers(seed)
    assert numbers(seed) == found
    assert all(one != other for one, other in zip(found, numbers(seed ^ 1), strict=True))
    # torch's generator on the CPU takes 32 bits of a seed, the others all of them
    assert all(one != other for one, other in zip(found[1:], numbers(seed ^ 1 << 40)[1:], strict=True))
