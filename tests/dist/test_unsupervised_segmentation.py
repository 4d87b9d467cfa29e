"""Unsupervised segmentation over several processes equals that of one, also if one has more clips or none."""

import pytest

from tests.dist.segmentation_workers import LEVELS, evaluate, segmentation_worker
from tests.dist.workers import run_ranks


@pytest.mark.parametrize('first', [3, 5])
def test_two_processes_equal_one(first: int, tmp_path):
    expected = {level: evaluate(level) for level in LEVELS}
    for results in run_ranks(segmentation_worker, 2, tmp_path, first):
        assert results == expected
    assert len({tuple(result.values()) for result in expected.values()}) == 3  # levels do differ
