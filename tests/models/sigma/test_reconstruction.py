"""The mean squared error and its gradients, which are PyTorch's."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models.sigma.reconstruction import FeatureMSELoss


def leaves(*shape: int, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    pred, target = torch.randn(*shape, dtype=dtype), torch.randn(*shape, dtype=dtype)
    return pred.requires_grad_(), target.requires_grad_()


@pytest.mark.parametrize('weight', [1.0, -3.0])
def test_value_and_gradients(weight: float) -> None:
    pred, target = leaves(2, 5, 3)
    loss, expected = FeatureMSELoss()(pred, target), F.mse_loss(pred, target)
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(weight * loss, (pred, target))
    torch.testing.assert_close(found, torch.autograd.grad(weight * expected, (pred, target)))


def test_only_what_learns_has_a_gradient() -> None:
    pred, target = leaves(1, 4, 2)
    FeatureMSELoss()(pred, target.detach()).backward()
    torch.testing.assert_close(pred.grad, 2 * (pred - target).detach() / 8)
    assert target.grad is None
    FeatureMSELoss()(pred.detach(), target).backward()
    torch.testing.assert_close(target.grad, -pred.grad)


def test_inputs_that_do_not_lie_in_a_row() -> None:
    pred, target = leaves(3, 4, 2)
    loss = FeatureMSELoss()(pred.transpose(0, 1), target.transpose(0, 1))
    loss.backward()
    torch.testing.assert_close(loss, F.mse_loss(pred, target))
    torch.testing.assert_close(pred.grad, 2 * (pred - target).detach() / 24)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_halves_are_compared_in_float32(dtype: torch.dtype) -> None:
    pred, target = (torch.full((1, 2, 3), value, dtype=dtype).requires_grad_() for value in (300.0, 0.0))
    loss = FeatureMSELoss()(pred, target)
    assert loss.dtype == torch.float32 and loss == 9e4
    loss.backward()
    assert pred.grad.dtype == dtype and pred.grad.eq(100).all() and target.grad.eq(-100).all()


def test_nothing_is_kept_but_the_difference(allocations) -> None:
    pred, target = leaves(4, 50, 5)
    with allocations:
        torch.autograd.grad(FeatureMSELoss()(pred, target.detach()), pred)
    assert [size for size in allocations.sizes if size >= 1000] == [1000]


@pytest.mark.parametrize('retain_graph', [False, True])
def test_second_backward_pass_is_refused(retain_graph: bool) -> None:
    pred, target = leaves(1, 2, 3)
    loss = FeatureMSELoss()(pred, target)
    loss.backward(retain_graph=retain_graph)
    with pytest.raises(RuntimeError, match='modified by an inplace operation' if retain_graph else 'second time'):
        loss.backward()


def test_shapes_that_broadcast_are_refused() -> None:
    with pytest.raises(ValueError, match=r'predictions \(2, 5, 3\) and targets \(2, 1, 3\) must have the same shape'):
        FeatureMSELoss()(torch.zeros(2, 5, 3), torch.zeros(2, 1, 3))
