"""Sinkhorn codes: parity with the release, the constraints they satisfy, their range of numbers and their memory."""

import numpy as np
import pytest
import torch
from torch import Tensor

from mmsigma.ops import optimal_transport, sinkhorn, sinkhorn_labels

ONE_ROW, FEW_ROWS = 1, 100


@pytest.fixture
def block_elements(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int | None:
    """Size of the blocks that scores are processed in; None for the usual one."""
    size = getattr(request, 'param', None)
    if size is not None:
        monkeypatch.setitem(optimal_transport._BLOCK_ELEMENTS, 'cpu', size)
        monkeypatch.setattr(optimal_transport, '_KERNEL_ELEMENTS', size)
    return size


@pytest.fixture(params=['kernel', 'log domain'])
def way(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Way of computation: the usual one, or that of scores whose range is too wide for it."""
    if request.param == 'log domain':
        monkeypatch.setattr(optimal_transport, '_KERNEL_RANGE', 0.0)
    return request.param


def cosine_scores(num_samples: int, num_prototypes: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return (2 * torch.rand(num_samples, num_prototypes, dtype=dtype) - 1).mul_(0.6)


@pytest.mark.golden_cases('sinkhorn')
@pytest.mark.parametrize('block_elements', [None, ONE_ROW, FEW_ROWS], indirect=True)
def test_official_codes(golden_case, block_elements, way) -> None:
    arrays, case = golden_case
    scores, settings = torch.from_numpy(arrays['scores']), (case['epsilon'], case['iterations'])
    codes = sinkhorn(scores, *settings)
    np.testing.assert_allclose(codes, arrays['q_f64'], atol=2e-5, rtol=1e-3)
    if case['f32_finite']:
        np.testing.assert_allclose(codes, arrays['q_f32'], atol=2e-5)
    in_double = sinkhorn(scores.double(), *settings)
    assert in_double.dtype == torch.float64
    np.testing.assert_allclose(in_double, arrays['q_f64'], atol=1e-6)


@pytest.mark.golden_cases('sinkhorn_distributed')
def test_official_codes_of_all_ranks_together(golden_case) -> None:
    arrays, case = golden_case
    scores = torch.from_numpy(arrays['scores']).flatten(0, 1)
    expected = arrays['q_single_process_concat'].reshape(scores.shape)
    np.testing.assert_allclose(sinkhorn(scores, case['epsilon'], case['iterations']), expected, atol=2e-5)


@pytest.mark.parametrize(('num_samples', 'num_prototypes'), [(60, 7), (7, 60), (30, 30)])
def test_marginals_after_convergence(num_samples: int, num_prototypes: int) -> None:
    codes = sinkhorn(cosine_scores(num_samples, num_prototypes, torch.float64), num_iters=2000)
    torch.testing.assert_close(codes.sum(1), torch.ones(num_samples, dtype=torch.float64))
    mass = torch.full((num_prototypes,), num_samples / num_prototypes, dtype=torch.float64)
    torch.testing.assert_close(codes.sum(0), mass, rtol=1e-6, atol=0)


@pytest.mark.parametrize('num_iters', [0, 1, 10])
def test_rows_sum_to_one(num_iters: int) -> None:
    codes = sinkhorn(cosine_scores(50, 9), num_iters=num_iters)
    torch.testing.assert_close(codes.sum(1), torch.ones(50))
    assert codes.min() >= 0


def test_no_iteration_is_softmax() -> None:
    scores = cosine_scores(20, 6)
    torch.testing.assert_close(sinkhorn(scores, 0.03, 0), (scores / 0.03).softmax(1))


def test_more_iterations_balance_better() -> None:
    scores = cosine_scores(200, 10) + torch.linspace(0, 0.3, 10)
    spread = [sinkhorn(scores, num_iters=n).sum(0).std().item() for n in (0, 1, 3, 10)]
    assert spread == sorted(spread, reverse=True) and spread[-1] < 0.01 * spread[0]


def test_offsets_change_nothing() -> None:
    scores = cosine_scores(30, 8, torch.float64)
    per_sample, per_prototype = torch.randn(30, 1, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    torch.testing.assert_close(sinkhorn(scores + per_sample, num_iters=500), sinkhorn(scores, num_iters=500))
    torch.testing.assert_close(sinkhorn(scores + per_prototype, num_iters=500), sinkhorn(scores, num_iters=500))


@pytest.mark.parametrize('size', [1e2, 1e4, 1e6])
def test_huge_scores_stay_finite(size: float) -> None:
    codes = sinkhorn(size * cosine_scores(40, 8))
    torch.testing.assert_close(codes.sum(1), torch.ones(40))


@pytest.mark.parametrize('spread', [1.0, 3.0, 10.0, 100.0])
@pytest.mark.parametrize('num_iters', [1, 2, 10])
def test_scores_of_any_range(spread: float, num_iters: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are those of float64, of which the wider ranges are beyond a kernel in float32."""
    scores = spread * torch.randn(64, 12)
    log_plan = scores.double() / 0.05
    for _ in range(num_iters):
        log_plan = log_plan.log_softmax(dim=0).log_softmax(dim=1)
    # scores / epsilon of 1e4 have three digits after the point in float32
    tolerance = dict(atol=2e-6 * max(spread / 0.05, 1), rtol=0)
    torch.testing.assert_close(sinkhorn(scores, num_iters=num_iters).double(), log_plan.exp(), **tolerance)
    again = []
    in_log_domain = optimal_transport._iterate_in_log_domain
    monkeypatch.setattr(
        optimal_transport, '_iterate_in_log_domain', lambda *args: again.append(1) or in_log_domain(*args)
    )
    sinkhorn(scores, num_iters=num_iters)
    assert len(again) == (spread > 1 and num_iters > 1)


@pytest.mark.golden_cases('sinkhorn')
@pytest.mark.parametrize('block_elements', [None, FEW_ROWS], indirect=True)
def test_labels_are_the_largest_codes(golden_case, block_elements) -> None:
    arrays, case = golden_case
    scores, settings = torch.from_numpy(arrays['scores']), (case['epsilon'], case['iterations'])
    labels = sinkhorn_labels(scores, *settings)
    assert labels.dtype == torch.int64
    codes = sinkhorn(scores, *settings)
    # of a collapsed sample all codes are the same but for rounding: compare values, not places
    torch.testing.assert_close(codes.gather(1, labels[:, None])[:, 0], codes.amax(1))


def test_labels_use_what_argmax_of_scores_leaves_unused() -> None:
    scores = cosine_scores(120, 6)
    scores[:, 0] += 2
    assert scores.argmax(1).unique().tolist() == [0]
    assert sinkhorn_labels(scores, 0.5).bincount(minlength=6).min() > 5


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('function', [sinkhorn, sinkhorn_labels])
def test_computes_in_float32_inside_autocast(function, dtype: torch.dtype) -> None:
    scores = cosine_scores(64, 16).to(dtype)
    with torch.autocast('cpu', torch.bfloat16):
        found = function(scores)
    expected = function(scores.float())
    assert found.dtype == expected.dtype and torch.equal(found, expected)
    assert function is sinkhorn_labels or found.dtype == torch.float32


@pytest.mark.parametrize('function', [sinkhorn, sinkhorn_labels])
def test_carries_no_gradient_and_keeps_the_scores(function) -> None:
    scores = cosine_scores(10, 4).requires_grad_()
    before = scores.detach().clone()
    assert not function(scores).requires_grad
    assert torch.equal(scores, before)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('block_elements', [100], indirect=True)
@pytest.mark.parametrize(
    ('function', 'largest', 'num_full'), [(sinkhorn, 0, 1), (sinkhorn_labels, 1 << 20, 1), (sinkhorn_labels, 0, 0)]
)
def test_stores_no_further_score_matrix(
    function, largest: int, num_full: int, block_elements: int, dtype: torch.dtype, allocations, monkeypatch
) -> None:
    monkeypatch.setattr(optimal_transport, '_LARGEST_KERNEL', largest)
    scores = cosine_scores(90, 8).to(dtype)
    with allocations:
        function(scores)
    full = [size for size in allocations.sizes if size >= scores.numel()]
    rest = [size for size in allocations.sizes if size < scores.numel()]
    assert full == [scores.numel()] * num_full
    assert max(rest) <= block_elements


@pytest.mark.parametrize('function', [sinkhorn, sinkhorn_labels])
def test_no_samples(function, way) -> None:
    assert len(function(torch.empty(0, 5))) == 0


@pytest.mark.parametrize('function', [sinkhorn, sinkhorn_labels])
@pytest.mark.parametrize('shape', [(4,), (2, 3, 4)])
def test_refuses_other_than_matrices(function, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='samples, prototypes'):
        function(torch.zeros(shape))


@pytest.mark.parametrize('function', [sinkhorn, sinkhorn_labels])
@pytest.mark.parametrize('epsilon', [0, -0.05])
def test_refuses_epsilon_that_is_not_positive(function, epsilon: float) -> None:
    with pytest.raises(ValueError, match='epsilon must be positive'):
        function(torch.zeros(3, 2), epsilon)
