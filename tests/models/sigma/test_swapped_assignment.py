"""Cross-entropy against codes: value, gradient, memory; and the swapped loss built from it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models import SwappedAssignmentLoss
from mmsigma.models.sigma import swapped_assignment
from mmsigma.models.sigma.swapped_assignment import code_cross_entropy
from mmsigma.ops import sinkhorn

hard_and_soft = pytest.mark.parametrize('kind', ['hard', 'soft'])


@pytest.fixture(params=[None, 1, 24], ids=['one block', 'block per row', 'uneven blocks'])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(swapped_assignment, '_BLOCK_ELEMENTS', request.param)


def scores_and_codes(kind: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    scores = torch.randn(13, 5, dtype=dtype, requires_grad=True)
    codes = torch.randint(5, (13,)) if kind == 'hard' else torch.randn(13, 5, dtype=dtype).softmax(1)
    return scores, codes


@hard_and_soft
@pytest.mark.usefixtures('_blocks')
def test_value_and_gradient_of_cross_entropy(kind: str) -> None:
    scores, codes = scores_and_codes(kind, torch.float32)
    expected = F.cross_entropy(scores / 0.1, codes)
    found = code_cross_entropy(scores.clone(), codes, 0.1)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(3 * loss, scores)[0] for loss in (found, expected)]
    torch.testing.assert_close(*gradients)


@hard_and_soft
@pytest.mark.usefixtures('_blocks')
def test_gradient_against_finite_differences(kind: str) -> None:
    scores, codes = scores_and_codes(kind)
    # the gradient is handed over in the memory it was kept in, but gradcheck asks for it more than once
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, lambda tensor: tensor.clone()):
        assert torch.autograd.gradcheck(lambda x: code_cross_entropy(x.clone(), codes, 0.5), [scores])


@hard_and_soft
def test_large_logits_stay_finite(kind: str) -> None:
    scores, codes = scores_and_codes(kind, torch.float32)
    scores = (1e4 * scores).detach().requires_grad_()
    loss = code_cross_entropy(scores.clone(), codes, 0.1)
    loss.backward()
    assert loss.isfinite() and scores.grad.isfinite().all()


@hard_and_soft
def test_needs_no_further_score_matrix(kind: str, monkeypatch: pytest.MonkeyPatch, allocations) -> None:
    monkeypatch.setattr(swapped_assignment, '_BLOCK_ELEMENTS', 10)
    scores, codes = scores_and_codes(kind, torch.float32)
    with allocations:
        torch.autograd.grad(code_cross_entropy(scores, codes, 0.1), scores)
    assert max(allocations.sizes) <= 10


def test_second_backward_fails_rather_than_lies() -> None:
    scores, codes = scores_and_codes('hard')
    loss = code_cross_entropy(scores.clone(), codes, 0.1)
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        loss.backward()


@pytest.mark.parametrize('hard_labels', [True, False])
def test_each_branch_predicts_the_codes_of_the_other(hard_labels: bool) -> None:
    target, pred = (torch.rand(40, 6, requires_grad=True) for _ in range(2))
    loss = SwappedAssignmentLoss(epsilon=0.03, num_iters=4, temperature=0.2, hard_labels=hard_labels)
    found = loss(target.clone(), pred.clone())
    codes = [sinkhorn(scores, 0.03, 4) for scores in (target, pred)]
    codes_target, codes_pred = (code.argmax(1) if hard_labels else code for code in codes)
    assert torch.equal(found.codes_target, codes_target) and torch.equal(found.codes_pred, codes_pred)
    terms = (found.loss_target, found.loss_pred)
    expected = (F.cross_entropy(target / 0.2, codes_pred), F.cross_entropy(pred / 0.2, codes_target))
    for term, reference, scores in zip(terms, expected, (target, pred), strict=True):
        torch.testing.assert_close(term, reference)
        gradients = torch.autograd.grad(term, scores)[0], torch.autograd.grad(reference, scores)[0]
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize('temperature', [0, -0.1])
def test_refuses_temperature_that_is_not_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match='temperature and epsilon must be positive'):
        SwappedAssignmentLoss(temperature=temperature)
