"""Exact float32 products, whichever interface of PyTorch has set another precision."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import backends

from mmsigma.ops import at_least_float32, full_float32, has_fast_bfloat16, linear

needs_new = pytest.mark.skipif(not hasattr(backends.cuda.matmul, 'fp32_precision'), reason='since PyTorch 2.9')
SINCE_2_9 = (backends, backends.cudnn, backends.cuda.matmul, backends.cudnn.conv)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision('highest')
    if hasattr(backends.cuda.matmul, 'fp32_precision'):
        for place in SINCE_2_9:
            place.fp32_precision = 'none'
        backends.mkldnn.matmul.fp32_precision = backends.mkldnn.conv.fp32_precision = 'none'
    backends.cudnn.allow_tf32 = True


def test_float32_in_the_block_and_what_was_set_after_it() -> None:
    torch.set_float32_matmul_precision('high')
    with pytest.raises(KeyError), torch.autocast('cpu', torch.bfloat16), full_float32('cpu'):
        assert torch.get_float32_matmul_precision() == 'highest'
        assert not backends.cudnn.allow_tf32
        assert linear(torch.ones(2, 3), torch.ones(4, 3)).dtype == torch.float32
        raise KeyError
    assert torch.get_float32_matmul_precision() == 'high' and backends.cudnn.allow_tf32


def old_products() -> None:
    torch.set_float32_matmul_precision('high')


def old_switch() -> None:
    backends.cuda.matmul.allow_tf32 = True


def new_everything() -> None:
    backends.fp32_precision = 'tf32'


def new_cudnn() -> None:
    backends.cudnn.fp32_precision = 'tf32'


def new_products() -> None:
    backends.cuda.matmul.fp32_precision = 'tf32'


def new_convolutions() -> None:
    backends.cudnn.conv.fp32_precision = 'tf32'


def both() -> None:
    torch.set_float32_matmul_precision('high')
    backends.cuda.matmul.fp32_precision = 'ieee'


@needs_new
@pytest.mark.parametrize(
    'choose', [old_products, old_switch, new_everything, new_cudnn, new_products, new_convolutions, both, lambda: None]
)
def test_both_interfaces(choose: Callable[[], None]) -> None:
    choose()
    places = (backends.cuda.matmul, backends.cudnn.conv, backends.mkldnn.matmul, backends.mkldnn.conv)
    before = [place.fp32_precision for place in places]
    with full_float32('cpu'):
        assert {place.fp32_precision for place in places} <= {'ieee', 'none'}
        assert torch.ones(2, 2) @ torch.ones(2, 2) is not None
    assert [place.fp32_precision for place in places] == before


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_widened(given: torch.dtype, expected: torch.dtype) -> None:
    assert at_least_float32(torch.ones(2, dtype=given)).dtype == expected


def test_fast_bfloat16_is_that_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('platform.machine', lambda: 'x86_64')
    for has_instructions in (True, False):
        monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: has_instructions, raising=False)  # noqa: B023
        monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False, raising=False)
        assert has_fast_bfloat16('cpu') is has_instructions
    assert has_fast_bfloat16('cuda')
