"""k-means: parity with scikit-learn from the same start, restarts, empty clusters, and several processes."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from mmsigma.ops.clustering import _lloyd, assign, kmeans, kmeans_many
from tests.golden_mask_vos import load_vectors


def blobs(number: int = 300, clusters: int = 4, width: int = 6, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(clusters, width, generator=generator) * 4
    return centres[torch.arange(number) % clusters] + torch.randn(number, width, generator=generator)


def test_official_clusters_of_a_clip() -> None:
    vectors = load_vectors('kmeans_official_style')
    features = vectors.cells('in_feats')
    fit = features[::8].flatten(0, 2)
    found = kmeans(fit, 5, init=vectors.tensor('in_init_centroids'))
    vectors.assert_close(found.centroids, 'out_centroids', 'centroids')
    assert torch.equal(
        found.labels.view(vectors.arrays['out_fit_labels'].shape), vectors.tensor('out_fit_labels').long()
    )
    assert found.inertia == pytest.approx(vectors.arrays['out_inertia'].item(), rel=1e-4)
    assert found.num_iters == vectors.arrays['out_n_iter']
    everything = assign(features.flatten(0, 2), found.centroids)
    assert torch.equal(everything.view(features.shape[:3]), vectors.tensor('out_all_labels').long())


@pytest.mark.parametrize('offset', [300, 3000])
def test_a_common_offset_changes_nothing(offset: float) -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.arange(5).repeat_interleave(200)
    points = torch.randn(5, 16, generator=generator)[true] + 0.15 * torch.randn(1000, 16, generator=generator)
    settings = dict(num_restarts=5, generator=torch.Generator().manual_seed(0))
    found = kmeans(points + offset, 5, **settings)
    reference = KMeans(5, n_init=5, random_state=0).fit((points + offset).numpy())
    assert found.inertia == pytest.approx(reference.inertia_, rel=1e-3)
    for label in range(5):
        assert len(found.labels[true == label].unique()) == 1
    assert len(found.labels.unique()) == 5
    means = torch.stack([points[found.labels == label].mean(dim=0) for label in range(5)])
    torch.testing.assert_close(found.centroids, means + offset, rtol=0, atol=5e-4 * offset / 300)
    (many,) = kmeans_many((points + offset)[None], 5, num_restarts=5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(many.labels, found.labels) and torch.equal(many.centroids, found.centroids)
    assert torch.equal(assign(points + offset, found.centroids), found.labels)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_is_scikit_learns_lloyd(dtype: torch.dtype) -> None:
    points = torch.randn(500, 5, generator=torch.Generator().manual_seed(1), dtype=dtype)
    init = points[:7].clone()
    ours = kmeans(points, 7, init=init, num_iters=50)
    theirs = KMeans(7, init=init.numpy(), n_init=1, max_iter=50, tol=0, algorithm='lloyd').fit(points.numpy())
    assert ours.labels.tolist() == theirs.labels_.tolist()
    np.testing.assert_allclose(ours.centroids, theirs.cluster_centers_, atol=1e-5)
    assert ours.inertia == pytest.approx(theirs.inertia_, rel=1e-5)


def test_finds_separate_clusters_and_repeats_itself() -> None:
    points = blobs()
    first = kmeans(points, 4, num_restarts=4, generator=torch.Generator().manual_seed(5))
    again = kmeans(points, 4, num_restarts=4, generator=torch.Generator().manual_seed(5))
    assert torch.equal(first.labels, again.labels)
    truth = torch.arange(len(points)) % 4
    assert all(len(set(first.labels[truth == cluster].tolist())) == 1 for cluster in range(4))
    assert len(set(first.labels.tolist())) == 4


def test_restarts_keep_the_best() -> None:
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(2))
    inertias = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        inertias.append(kmeans(points, 12, generator=generator).inertia)
    together = kmeans(points, 12, num_restarts=5, generator=torch.Generator().manual_seed(0))
    assert together.inertia == pytest.approx(min(inertias)) and min(inertias) < max(inertias)


def test_empty_clusters_start_anew() -> None:
    points = blobs(clusters=3)
    init = torch.cat([points[:1], points.mean(dim=0, keepdim=True) + 1000, points.mean(dim=0, keepdim=True) + 1001])
    found = kmeans(points, 3, init=init)
    assert torch.bincount(found.labels, minlength=3).min() > 50


def test_as_many_clusters_as_points() -> None:
    points = torch.randn(6, 2)
    found = kmeans(points, 6)
    assert sorted(found.labels.tolist()) == list(range(6)) and found.inertia == pytest.approx(0, abs=1e-5)


def test_stops_when_nothing_changes() -> None:
    points = blobs()
    found = kmeans(points, 4, init=points[:4], num_iters=100)
    assert 1 < found.num_iters < 20
    assert kmeans(points, 4, init=points[:4], num_iters=1).num_iters == 1


@pytest.mark.parametrize(
    ('points', 'settings', 'message'),
    [
        (torch.randn(3, 2), dict(num_clusters=4), '4 clusters need at least as many points'),
        (torch.full((5, 2), torch.nan), dict(num_clusters=2), '5 points are not finite'),
        (
            torch.randn(5, 2),
            dict(num_clusters=2, init=torch.zeros(3, 2)),
            r'init must have the shape \(2, 2\), got \(3, 2\)',
        ),
    ],
)
def test_bad_input(points: torch.Tensor, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kmeans(points, **settings)


def test_many_sets_at_once() -> None:
    points = torch.stack([blobs(seed=seed) * (1 + seed) for seed in range(5)])
    points[3] = torch.randn(300, 6, generator=torch.Generator().manual_seed(9))  # takes longer than the others
    generator = torch.Generator().manual_seed(4)
    alone = [kmeans(own, 4, num_restarts=2, generator=generator) for own in points]
    together = kmeans_many(points, 4, num_restarts=2, generator=torch.Generator().manual_seed(4))
    assert len({found.num_iters for found in alone}) > 1
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.labels, other.labels)
        torch.testing.assert_close(one.centroids, other.centroids)
        assert (one.num_iters, one.inertia) == (other.num_iters, pytest.approx(other.inertia))


def test_many_sets_with_empty_clusters() -> None:
    points = torch.zeros(3, 10, 2)
    points[0, :5], points[2, 0] = 1, 7
    found = kmeans_many(points, 3, generator=torch.Generator().manual_seed(0))
    assert [result.inertia for result in found] == [0, 0, 0]
    points[1, 3] = torch.nan
    with pytest.raises(ValueError, match=r'sets \[1\] contain points that are not finite'):
        kmeans_many(points, 3)
    with pytest.raises(ValueError, match='11 clusters need sets of at least as many points'):
        kmeans_many(points, 11)


def test_batched_iterations_are_those_of_single_sets() -> None:
    """What a GPU does; a CPU gives each thread a set."""
    points = torch.stack([blobs(seed=seed) for seed in range(4)])
    points[2] = torch.randn(300, 6, generator=torch.Generator().manual_seed(9))
    init = points[:, :4].clone()
    norms = points.square().sum(dim=2)
    together = _lloyd(points, norms, init, 100, 0.0, False)
    alone = [kmeans(own, 4, init=start) for own, start in zip(points, init, strict=True)]
    assert len({found.num_iters for found in alone}) > 1
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.labels, other.labels) and one.num_iters == other.num_iters
        torch.testing.assert_close(one.centroids, other.centroids)


def test_threads_are_as_before() -> None:
    before = torch.get_num_threads()
    kmeans_many(torch.randn(3, 50, 2), 2)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_clustered_in_float32(dtype: torch.dtype) -> None:
    """Sums and squares of float16 overflow at 65504."""
    points = torch.cat([torch.randn(50, 4), torch.randn(50, 4) + 20]).mul(500).to(dtype)
    found = kmeans(points, 2, generator=torch.Generator().manual_seed(0))
    assert found.centroids.dtype == torch.float32 and found.labels.bincount().tolist() == [50, 50]
    assert torch.equal(found.labels, kmeans(points.float(), 2, generator=torch.Generator().manual_seed(0)).labels)
