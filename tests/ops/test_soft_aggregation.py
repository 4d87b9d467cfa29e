"""Independent masks of objects become one distribution of labels, as in the releases and by the formula."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmsigma.ops.soft_aggregation import aggregate, aggregate_logits
from tests.golden_mask_vos import load_vectors


@pytest.mark.parametrize('count', [1, 2, 4])
def test_aggregation(count: int) -> None:
    vectors = load_vectors('soft_aggregate')
    logits = aggregate(vectors.tensor(f'in_prob_{count}'))
    softmax = logits.softmax(dim=0).float()
    vectors.assert_close(softmax, f'out_softmax_{count}', 'softmax')
    vectors.assert_close(softmax[1:], f'out_softmax_fg_{count}', 'softmax')
    vectors.assert_close(logits, f'out_logits_{count}', 'logits')


def test_odds_are_those_of_the_objects_and_of_none_of_them() -> None:
    probabilities = torch.tensor([0.5, 0.2, 0.9], dtype=torch.float64).view(3, 1, 1)
    odds = torch.tensor([0.04 / 0.96, 1, 0.25, 9], dtype=torch.float64)  # no object: 0.5 * 0.8 * 0.1
    torch.testing.assert_close(aggregate(probabilities).exp().flatten(), odds)
    torch.testing.assert_close(aggregate(probabilities).softmax(dim=0).flatten(), odds / odds.sum())


def test_every_clip_and_frame_by_itself() -> None:
    probabilities = torch.rand(2, 4, 3, 5, 6)
    found = aggregate(probabilities)
    assert found.shape == (2, 4, 4, 5, 6)
    torch.testing.assert_close(found[1, 2], aggregate(probabilities[1, 2]))


def test_certainty_stays_finite_and_has_a_gradient_elsewhere() -> None:
    probabilities = torch.tensor([[[1.0, 0.0, 0.3]]]).requires_grad_()
    logits = aggregate(probabilities)
    assert logits.isfinite().all() and logits.argmax(dim=0).tolist() == [[1, 0, 0]]
    logits[1].sum().backward()
    torch.testing.assert_close(probabilities.grad, torch.tensor([[[0, 0, 1 / (0.3 * 0.7)]]]))


@pytest.mark.parametrize('count', [1, 2, 4])
def test_from_logits(count: int) -> None:
    vectors = load_vectors('soft_aggregate')
    logits = aggregate_logits(vectors.tensor(f'in_prob_{count}').double().logit(eps=1e-7))
    vectors.assert_close(logits.softmax(dim=0), f'out_softmax_{count}', 'softmax')


def test_logits_give_the_odds_of_the_probabilities() -> None:
    logits = torch.linspace(-6, 6, 24, dtype=torch.float64).view(2, 4, 3, 1).requires_grad_()
    found, expected = aggregate_logits(logits), aggregate(logits.sigmoid())
    torch.testing.assert_close(found, expected)
    weights = torch.rand_like(found)
    ours, theirs = (torch.autograd.grad((weights * out).sum(), logits)[0] for out in (found, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize('logit', [6.5, 12.0, 20.0, 300.0])
def test_pixels_that_are_surely_wrong_learn(dtype: torch.dtype, logit: float) -> None:
    """Both objects claim a pixel of the background, and neither one of the first object."""
    logits = torch.tensor([[logit, -logit], [logit, -logit]]).view(1, 2, 2, 1).to(dtype).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=dtype != torch.float32):
        loss = F.cross_entropy(aggregate_logits(logits), torch.tensor([[[0], [1]]]), reduction='sum')
    (gradient,) = torch.autograd.grad(loss, logits)
    # log-odds of the background are -2 x and those of the objects x; then x - log 2 and -x
    torch.testing.assert_close(float(loss), 3 * logit + math.log(2) + 2 * logit - math.log(2), rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(gradient.flatten().float(), torch.tensor([1.5, -1.5, 1.5, -0.5]), rtol=1e-2, atol=2e-3)
