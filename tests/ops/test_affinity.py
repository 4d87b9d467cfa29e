"""Top-k affinity: parity with three implementations, equality with a dense search, and memory."""

import pytest
import torch
import torch.nn.functional as F

import mmsigma.ops.affinity as affinity
from mmsigma.ops.affinity import propagate, topk_affinity
from tests.golden_mask_vos import load_vectors

TOLERANCE = dict(atol=1e-5, rtol=1e-4)


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def dense(query, memory, k, temperature, radius, window, num_free) -> torch.Tensor:
    """Weights of all cells of the memory for every query cell (h * w, T * h * w)."""
    height, width, _ = query.shape
    similarity = query.flatten(0, 1) @ memory.flatten(0, 2).T
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing='ij')
    dy, dx = (c.flatten()[:, None] - c.flatten()[None] for c in (y, x))
    allowed = dy**2 + dx**2 < radius**2 if window == 'circle' else torch.maximum(dy.abs(), dx.abs()) <= radius
    allowed = torch.cat([torch.ones_like(allowed)] * num_free + [allowed] * (len(memory) - num_free), dim=1)
    similarity[~allowed] = -torch.inf
    values, indices = similarity.topk(k, dim=1)
    return torch.zeros_like(similarity).scatter(1, indices, (values / temperature).softmax(dim=1))


@pytest.mark.parametrize('tile', [3, 12])
@pytest.mark.parametrize(
    ('window', 'radius', 'num_free'),
    [('circle', 4, 1), ('circle', 3.5, 0), ('square', 3, 0), ('square', 2, 2), ('circle', 100, 1)],
)
def test_equals_a_dense_search(monkeypatch: pytest.MonkeyPatch, tile: int, window: str, radius: float, num_free: int):
    monkeypatch.setattr(affinity, '_TILE', tile)
    query, memory = unit(9, 14, 8), unit(5, 9, 14, 8, seed=1)
    settings = dict(k=6, temperature=0.05, radius=radius, window=window, num_free=num_free)
    found = topk_affinity(query, memory, **settings)
    weights = torch.zeros(9 * 14, 5 * 9 * 14).scatter(1, found.indices, found.weights)
    torch.testing.assert_close(weights, dense(query, memory, **settings), atol=1e-5, rtol=1e-4)
    labels = torch.rand(5, 9, 14, 3)
    torch.testing.assert_close(propagate(found, labels).flatten(0, 1), weights @ labels.flatten(0, 2), **TOLERANCE)


@pytest.mark.parametrize('case', range(4))
def test_official_propagation_of_labels(case: int) -> None:
    vectors = load_vectors('labelprop_predict')
    settings = vectors.entry['cases'][case]
    found = topk_affinity(
        vectors.cells('in_query_feat'),
        vectors.cells('in_ref_feats'),
        k=settings['topk'],
        radius=settings['radius'],
        temperature=settings['temperature'],
    )
    soft = propagate(found, vectors.cells('in_ref_masks'))
    vectors.assert_close(soft.movedim(-1, -3), f'out_case{case}_mask')


def test_official_read_out_of_memory() -> None:
    vectors = load_vectors('memory_readout')
    found = topk_affinity(vectors.cells('in_query_key'), vectors.cells('in_mem_key'), k=7, radius=3.5)
    vectors.assert_close(found.weights.T, 'out_topk_weight')
    assert torch.equal(found.indices.T, vectors.tensor('out_topk_index').long())
    values = vectors.tensor('in_mem_value').flatten(1, 2).movedim(1, -1)
    vectors.assert_close(
        propagate(found, values).movedim(-1, 0).view(*vectors.arrays['out_readout'].shape), 'out_readout'
    )


@pytest.mark.parametrize('case', range(3))
def test_propagation_of_dino(case: int) -> None:
    vectors = load_vectors('labelprop_dino')
    settings = vectors.entry['cases'][case]
    query, memory = (F.normalize(vectors.cells(f'in_{name}'), dim=-1) for name in ('tar_feat', 'ref_feats'))
    radius = settings['neighbourhood'] or None
    found = topk_affinity(
        query, memory, k=settings['topk'], radius=radius, window='square', temperature=0.1, num_free=0
    )
    soft = propagate(found, vectors.cells('in_ref_segs'))
    vectors.assert_close(soft.movedim(-1, -3), f'out_seg{case}')


def test_window_with_fewer_cells_than_k() -> None:
    found = topk_affinity(unit(4, 4, 8), unit(1, 4, 4, 8, seed=1), k=10, radius=1, num_free=0)
    assert found.weights.shape == (16, 10)  # a circle of radius 1 holds the cell itself
    torch.testing.assert_close(found.weights[:, 0], torch.ones(16))
    assert found.indices[:, 0].tolist() == list(range(16)) and not found.weights[:, 1:].any()


def test_lower_precision() -> None:
    query, memory = unit(9, 14, 16), unit(3, 9, 14, 16, seed=1)
    labels = torch.rand(3, 9, 14, 2)
    exact = propagate(topk_affinity(query, memory), labels)
    half = propagate(topk_affinity(query.bfloat16(), memory.bfloat16()), labels)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, atol=0.1, rtol=0)


def test_never_holds_all_similarities(allocations) -> None:
    query, memory = unit(40, 60, 8), unit(6, 40, 60, 8, seed=1)
    with allocations:
        topk_affinity(query, memory)
    everything = 40 * 60 * 6 * 40 * 60
    assert max(allocations.sizes) < everything / 40


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r'query \(4, 4, 8\) and frames \(4, 5, 8\) differ'):
        topk_affinity(unit(4, 4, 8), unit(1, 4, 5, 8))
    with pytest.raises(ValueError, match="window must be 'circle' or 'square'"):
        topk_affinity(unit(4, 4, 8), unit(1, 4, 4, 8), window='disc')


@pytest.mark.parametrize(('k', 'frames', 'radius'), [(5, 1, 2), (9, 3, 1), (20, 2, 2.5)])
def test_windows_with_fewer_cells_than_asked_for(k: int, frames: int, radius: float) -> None:
    generator = torch.Generator().manual_seed(0)
    query, memory = torch.randn(13, 13, 4, generator=generator), torch.randn(frames, 13, 13, 4, generator=generator)
    found = topk_affinity(query, memory, k=k, radius=radius, num_free=0)
    assert found.weights.shape == (169, k)
    torch.testing.assert_close(found.weights.sum(dim=1), torch.ones(169))
    assert (found.weights == 0).any()
    with pytest.raises(ValueError, match='radius must be positive'):
        topk_affinity(query, memory, k=k, radius=0)
