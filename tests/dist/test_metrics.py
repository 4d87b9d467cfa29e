"""Metrics of several processes equal those of one, also if one has more samples or none."""

import pytest

from tests.dist.metric_workers import METRICS, evaluate, make_samples, metric_worker
from tests.dist.workers import run_ranks


@pytest.mark.parametrize('sizes', [(8, 3), (11, 0)])
def test_two_processes_equal_one(sizes, tmp_path):
    expected = {kind: evaluate(kind, make_samples(kind), sum(sizes)) for kind in METRICS}
    for results in run_ranks(metric_worker, 2, tmp_path, sizes):
        for kind, result in results.items():
            assert result == pytest.approx(expected[kind], abs=1e-12)
