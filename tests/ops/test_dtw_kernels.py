"""Compiled tables of SmoothDTW; what they are compared with besides is in test_soft_dtw.py, for both ways."""

import sys

import pytest
import torch

from mmsigma import ops
from mmsigma.ops import soft_dtw
from mmsigma.ops.soft_dtw import Kind, smooth_dtw

pytest.importorskip('numba')
from mmsigma.ops import dtw_kernels


@pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
def test_both_ways_are_equal_on_any_number_of_threads(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtw_kernels, '_CELLS_PER_THREAD', 1)
    threads = torch.get_num_threads()
    found, given = [], torch.rand(5, 9, 14)
    try:
        for number, compiled in ((1, '0'), (1, '1'), (3, '1')):
            torch.set_num_threads(number)
            monkeypatch.setenv('MMSIGMA_NUMBA', compiled)
            cost = given.clone().requires_grad_()
            table = smooth_dtw(cost, 0.1, kind=kind).table
            (grad,) = torch.autograd.grad((table * torch.linspace(-1, 1, 14)).sum(), cost)
            found.append((table.detach(), grad))
    finally:
        torch.set_num_threads(threads)
    for one in (0, 1):
        torch.testing.assert_close(found[1][one], found[0][one], atol=1e-4, rtol=1e-5)
        assert torch.equal(found[2][one], found[1][one])


def test_alignment_goes_on_without_a_numba_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs a certain numpy, and a folder to write to."""
    cost = torch.rand(2, 4, 5)
    expected = smooth_dtw(cost, 0.1).table
    soft_dtw._compiled_kernels.cache_clear()
    monkeypatch.setitem(sys.modules, 'mmsigma.ops.dtw_kernels', None)
    monkeypatch.delattr(ops, 'dtw_kernels', raising=False)
    try:
        with pytest.warns(UserWarning, match='without numba, which is installed but does not work .*NUMBA_CACHE_DIR'):
            found = smooth_dtw(cost, 0.1).table
        torch.testing.assert_close(found, expected)
        assert soft_dtw._compiled_kernels() is None
    finally:
        soft_dtw._compiled_kernels.cache_clear()
