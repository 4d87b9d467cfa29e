"""Clustering of points that are spread over processes."""

import pytest
import torch

from mmsigma.ops.clustering import kmeans
from tests.dist.kmeans_workers import drawing_worker, kmeans_worker
from tests.dist.workers import run_ranks


@pytest.mark.parametrize('sizes', [(60, 40), (98, 2), (100, 0)])
def test_two_processes_equal_one(sizes, tmp_path) -> None:
    points = torch.randn(100, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    init = points[:5] + 0.0
    init[4] += 100  # loses all its points and starts anew
    whole = kmeans(points, 5, init=init)
    parts = run_ranks(kmeans_worker, 2, tmp_path, list(points.split(sizes)), init)
    assert torch.cat([labels for labels, *_ in parts]).tolist() == whole.labels.tolist()
    for _, centroids, inertia, num_iters in parts:
        torch.testing.assert_close(centroids, whole.centroids)
        assert inertia == pytest.approx(whole.inertia) and num_iters == whole.num_iters


def test_first_rank_draws_for_all(tmp_path) -> None:
    points = torch.randn(100, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = kmeans(points, 5, num_restarts=3, generator=torch.Generator().manual_seed(0))
    parts = run_ranks(drawing_worker, 2, tmp_path, [points, points[:0]], 5)
    assert parts[0][0].tolist() == whole.labels.tolist() and parts[1][0].tolist() == []
    for _, centroids, inertia, _ in parts:
        torch.testing.assert_close(centroids, whole.centroids)
        assert inertia == pytest.approx(whole.inertia)
