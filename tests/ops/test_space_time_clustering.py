"""Clusters of videos against a literal reading of the paper."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.ops.clustering import kmeans
from mmsigma.ops.space_time_clustering import add_space_time_code, cluster_videos, keep_clusters, space_time_code
from tests.golden_mask_vos import load_vectors


@pytest.mark.parametrize('case', range(3))
def test_literal_reading(case: int) -> None:
    vectors = load_vectors('kmeans_pe3d')
    settings = vectors.entry['cases'][case]
    features = vectors.tensor('in_feats')
    code = space_time_code(features.shape[:3], features.shape[3])
    vectors.assert_close(code, 'out_pe', 'pe')
    points = (features + settings['pe_weight'] * code).double().flatten(0, 2)
    found = kmeans(points, 5, init=points[vectors.tensor('in_init_index')], num_iters=100)
    clusters = keep_clusters(found.labels.view(features.shape[:3]), 5)
    assert torch.equal(clusters.labels, vectors.tensor(f'out_labels{case}').long())
    vectors.assert_close(found.inertia, f'out_inertia{case}_f64', 'inertia')
    torch.testing.assert_close(clusters.shares.double(), vectors.tensor(f'out_fraction{case}_f64'), rtol=0, atol=1e-7)
    assert torch.equal(clusters.kept, vectors.tensor(f'out_kept{case}'))


@pytest.mark.parametrize('weight', [0.1, 0.5])
def test_code_is_added_to_the_features(weight: float) -> None:
    vectors = load_vectors('kmeans_pe3d')
    features = vectors.tensor('in_feats')
    points = (features + weight * vectors.tensor('out_pe')).flatten(0, 2)
    expected = kmeans(points, 5, generator=torch.Generator().manual_seed(0)).labels.view(features.shape[:3])
    (clusters,) = cluster_videos(features[None], code_weight=weight, generator=torch.Generator().manual_seed(0))
    assert torch.equal(clusters.labels, expected)
    (lengths,) = cluster_videos(3 * features[None], code_weight=weight, generator=torch.Generator().manual_seed(0))
    assert torch.equal(lengths.labels, expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_code_of_axes_is_that_of_all_cells(dtype: torch.dtype) -> None:
    features = torch.randn(2, 4, 3, 5, 11, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = features + (0.3 * space_time_code((4, 3, 5), 11)).to(dtype)
    assert torch.equal(add_space_time_code(features.clone(), 0.3), expected)


def two_of_a_kind(num_frames: int) -> torch.Tensor:
    """Features (T, 1, 3, D) of a video with two objects that look the same, on both sides of another."""
    generator = torch.Generator().manual_seed(0)
    looks = F.normalize(torch.randn(2, 24, generator=generator), dim=1)[[0, 1, 0]]
    return looks + 0.02 * torch.randn(num_frames, 1, 3, 24, generator=generator)


def test_place_separates_what_looks_the_same() -> None:
    features = two_of_a_kind(15)[None]
    (clusters,) = cluster_videos(features, 3, num_restarts=5, generator=torch.Generator().manual_seed(0))
    assert (clusters.labels == clusters.labels[0, 0]).all() and clusters.shares.tolist() == pytest.approx([1 / 3] * 3)


def two_objects(num_videos: int = 2) -> torch.Tensor:
    """Features (B, T, h, w, D) of backgrounds with two objects in one corner each."""
    generator = torch.Generator().manual_seed(0)
    looks = F.normalize(torch.randn(3, 24, generator=generator), dim=1)
    labels = torch.zeros(num_videos, 3, 8, 8, dtype=torch.int64)
    labels[:, :, :3, :3], labels[:, :, 5:, 5:] = 1, 2
    return looks[labels] + 0.02 * torch.randn(num_videos, 3, 8, 8, 24, generator=generator)


def test_objects_are_kept_and_the_background_is_not() -> None:
    for clusters in cluster_videos(two_objects(), 3, num_restarts=5, generator=torch.Generator().manual_seed(1)):
        assert len(clusters.kept) == 2
        torch.testing.assert_close(clusters.shares.sort().values, torch.tensor([9, 9, 46]) / 64)
        first, last = clusters.labels[0, 0, 0], clusters.labels[0, -1, -1]
        assert {int(first), int(last)} == set(clusters.kept.tolist())
        assert (clusters.labels[:, :3, :3] == first).all() and (clusters.labels[:, 5:, 5:] == last).all()


def test_optimal_transport_gives_all_clusters_as_much() -> None:
    features = torch.randn(1, 4, 8, 8, 12, generator=torch.Generator().manual_seed(2))
    shares = {}
    for method in ('kmeans', 'sinkhorn'):
        (clusters,) = cluster_videos(features, 4, method=method, generator=torch.Generator().manual_seed(3))
        shares[method] = clusters.shares
    assert shares['sinkhorn'].std() < shares['kmeans'].std()
    assert (shares['sinkhorn'] - 0.25).abs().max() < 0.06


def test_clusters_without_cells_are_not_kept() -> None:
    clusters = keep_clusters(torch.tensor([[[0, 0, 0, 2, 2]]]), 4)
    assert clusters.kept.tolist() == [2] and clusters.shares.tolist() == pytest.approx([0.6, 0, 0.4, 0])


def test_what_is_refused() -> None:
    features = two_objects()
    with pytest.raises(ValueError, match="method must be 'kmeans' or 'sinkhorn'"):
        cluster_videos(features, method='ward')
    features[1, 0, 0, 0] = torch.nan
    with pytest.raises(ValueError, match=r'sets \[1\] contain points that are not finite'):
        cluster_videos(features)
    with pytest.raises(ValueError, match='three channels or more, got 2'):
        space_time_code((2, 2, 2), 2)
