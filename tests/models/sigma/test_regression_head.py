"""The head of VideoMAE and of the L2 ablation."""

import torch

from mmsigma.models import RegressionHead


def test_regression_of_a_learnt_target_tells_its_spread() -> None:
    pred = torch.randn(2, 5, 3)
    target = (torch.randn(2, 5, 3) * torch.tensor([1.0, 2.0, 3.0])).requires_grad_()
    losses = RegressionHead(in_channels=3).loss(pred, target)
    assert list(losses) == ['loss_reconstruction', 'target_std']
    torch.testing.assert_close(losses['loss_reconstruction'], (pred - target).square().mean())
    torch.testing.assert_close(losses['target_std'], target.detach().reshape(10, 3).std(0).mean())
    collapsed = torch.ones(2, 5, 3, requires_grad=True)
    assert RegressionHead().loss(pred, collapsed)['target_std'] == 0


def test_regression_of_a_fixed_target_has_but_a_loss() -> None:
    assert list(RegressionHead().loss(torch.randn(2, 5, 3), torch.randn(2, 5, 3))) == ['loss_reconstruction']


def test_regression_is_computed_in_float32() -> None:
    pred, target = torch.full((1, 2, 3), 300.0, dtype=torch.float16), torch.zeros(1, 2, 3, dtype=torch.float16)
    assert RegressionHead().loss(pred, target)['loss_reconstruction'] == 9e4
