import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mmsigma.ops import Linear, choose_cpu_linear, cpu_linear_in_use, fast_linear, linear

FEW, MANY = (2, 8, 24), (2, 200, 768)


def _value_and_gradients(function, shape: tuple[int, ...], with_bias: bool) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(shape, generator=generator).transpose(0, 1).requires_grad_()
    weight = torch.randn(96, shape[-1], generator=generator, requires_grad=True)
    bias = torch.randn(96, generator=generator, requires_grad=True) if with_bias else None
    leaves = [leaf for leaf in (inputs, weight, bias) if leaf is not None]
    out = function(inputs, weight, bias)
    return [out, *torch.autograd.grad(out.square().sum(), leaves)]


@pytest.fixture(autouse=True)
def _chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_linear, '_chosen', 'fastest')


@pytest.mark.parametrize('kind', ['matmul', 'convolution'])
@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('shape', [FEW, MANY], ids=['few', 'many'])
def test_is_the_linear_map_of_torch(shape: tuple[int, ...], with_bias: bool, kind: str) -> None:
    choose_cpu_linear(kind)
    ours, theirs = (_value_and_gradients(function, shape, with_bias) for function in (linear, F.linear))
    for actual, expected in zip(ours, theirs, strict=True):
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3 * expected.abs().max().item())


@pytest.mark.parametrize(
    ('kind', 'shape', 'convolved'),
    [('convolution', FEW, False), ('convolution', MANY, True), ('matmul', MANY, False)],
)
def test_convolves_many_tokens_only(
    monkeypatch: pytest.MonkeyPatch, kind: str, shape: tuple[int, ...], convolved: bool
) -> None:
    calls = []
    convolve = F.conv2d
    monkeypatch.setattr(F, 'conv2d', lambda *args: calls.append(args) or convolve(*args))
    choose_cpu_linear(kind)
    layer = Linear(shape[-1], 96)
    assert layer(torch.randn(shape)).is_contiguous()
    assert bool(calls) == (convolved and torch.backends.mkldnn.is_available())


@pytest.mark.parametrize(('seconds', 'convolved'), [((1.3, 1.0), True), ((1.2, 1.0), False), ((1.0, 2.0), False)])
def test_the_fastest_way_is_measured_once(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, float], convolved: bool
) -> None:
    measured = []
    times = dict(zip((F.linear, fast_linear._convolve), seconds, strict=True))
    monkeypatch.setattr(fast_linear, '_seconds_of', lambda function: measured.append(function) or times[function])
    fast_linear._convolution_is_faster.cache_clear()
    assert cpu_linear_in_use() == 'fastest'
    inputs, weight = torch.randn(MANY), torch.randn(96, 768)
    for _ in range(2):
        expected = fast_linear._convolve(inputs, weight) if convolved else F.linear(inputs, weight)
        assert torch.equal(linear(inputs, weight), expected)
    assert measured == [F.linear, fast_linear._convolve]
    assert cpu_linear_in_use() == ('convolution' if convolved else 'matmul')
    fast_linear._convolution_is_faster.cache_clear()


def test_modes_of_the_caller_do_not_reach_the_measurement() -> None:
    fast_linear._convolution_is_faster.cache_clear()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        linear(torch.randn(MANY), torch.randn(96, 768))
    assert counter.get_total_flops() == 2 * 400 * 96 * 768
    assert fast_linear._convolution_is_faster.cache_info().currsize == 1


def test_unknown_ways_are_named() -> None:
    with pytest.raises(ValueError, match="one of fastest, matmul, convolution, got 'quick'"):
        choose_cpu_linear('quick')


def test_follows_autocast() -> None:
    with torch.autocast('cpu', torch.bfloat16):
        assert linear(torch.randn(MANY), torch.randn(96, 768)).dtype == torch.bfloat16
    assert linear(torch.randn(MANY).double(), torch.randn(96, 768).double()).dtype == torch.float64
