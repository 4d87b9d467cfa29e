import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.ops import Linear, linear

FEW, MANY = (2, 8, 24), (2, 200, 768)


def _value_and_gradients(function, shape: tuple[int, ...], with_bias: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(shape, generator=generator).transpose(0, 1).requires_grad_()
    weight = torch.randn(96, shape[-1], generator=generator, requires_grad=True)
    bias = torch.randn(96, generator=generator, requires_grad=True) if with_bias else None
    leaves = [leaf for leaf in (inputs, weight, bias) if leaf is not None]
    out = function(inputs, weight, bias)
    return [out, *torch.autograd.grad(out.square().sum(), leaves)]


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('shape', [FEW, MANY], ids=['few', 'many'])
def test_is_the_linear_map_of_torch(shape: tuple[int, ...], with_bias: bool) -> None:
    ours, theirs = (_value_and_gradients(function, shape, with_bias) for function in (linear, F.linear))
    for actual, expected in zip(ours, theirs, strict=True):
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize(('shape', 'convolved'), [(FEW, False), (MANY, True)], ids=['few', 'many'])
def test_convolves_many_tokens_only(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], convolved: bool) -> None:
    calls = []
    convolve = F.conv2d
    monkeypatch.setattr(F, 'conv2d', lambda *args: calls.append(args) or convolve(*args))
    layer = Linear(shape[-1], 96)
    assert layer(torch.randn(shape)).is_contiguous()
    assert bool(calls) == (convolved and torch.backends.mkldnn.is_available())


def test_follows_autocast() -> None:
    with torch.autocast('cpu', torch.bfloat16):
        assert linear(torch.randn(MANY), torch.randn(96, 768)).dtype == torch.bfloat16
    assert linear(torch.randn(MANY).double(), torch.randn(96, 768).double()).dtype == torch.float64
