"""Metrics of several processes equal those of one, also if one has more samples or none, or one comes twice."""

import pytest

from tests.dist.metric_workers import METRICS, evaluate, make_samples, metric_worker, sampler_worker
from tests.dist.workers import run_ranks


def test_two_processes_equal_one(tmp_path):
    expected = {kind: evaluate(kind, make_samples(kind), 11) for kind in METRICS}
    for results in run_ranks(metric_worker, 2, tmp_path):
        assert len(results) == 3 * len(METRICS)
        for (kind, how), result in results.items():
            assert result == pytest.approx(expected[kind], abs=1e-12), (kind, how)


def test_the_sampler_keeps_the_order_of_the_list(tmp_path):
    expected = {kind: evaluate(kind, make_samples(kind), 11) for kind in METRICS}
    for results in run_ranks(sampler_worker, 2, tmp_path):
        for kind, result in results.items():
            assert result == pytest.approx(expected[kind], abs=1e-12), kind
