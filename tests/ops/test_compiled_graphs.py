"""Operations that a compiled graph contains as they are."""

import pytest
import torch
from torch import Tensor, library

from mmsigma.ops import fast_linear, optimal_transport
from mmsigma.ops.compiled_graphs import is_traced, opaque

CALLS: list[str] = []


def _double(values: Tensor) -> Tensor:
    CALLS.append(f'{values.tolist()}')  # values, which no traced function can look at
    return 2 * values


_OPERATION = opaque('test_double', _double, torch.empty_like, lambda ctx, grad: 2 * grad * (ctx.saved_tensors[0] > 0))


def test_values_are_seen_in_one_graph() -> None:
    def run(values: Tensor) -> Tensor:
        return _OPERATION(values) if is_traced() else values

    values = torch.tensor([1.0, -3.0], requires_grad=True)
    assert run(values) is values and not is_traced()
    torch._dynamo.reset()
    CALLS.clear()
    out = torch.compile(run, fullgraph=True, backend='aot_eager')(values)
    out.sum().backward()
    assert CALLS == ['[1.0, -3.0]']
    assert out.tolist() == [2.0, -6.0] and values.grad.tolist() == [2.0, 0.0]


def test_old_versions_are_given_the_function(monkeypatch) -> None:
    monkeypatch.delattr(library, 'custom_op')
    assert opaque('test_old', _double, torch.empty_like) is _double
    monkeypatch.setattr(torch.compiler, 'is_compiling', lambda: True)
    assert not is_traced()


@pytest.mark.parametrize('transposed', [False, True])
def test_operations_are_what_they_say(transposed: bool) -> None:
    """PyTorch's own check of schema, shapes, strides and gradients."""
    scores = torch.rand(6, 9).T if transposed else torch.rand(9, 6)
    for operation in (optimal_transport._opaque_sinkhorn, optimal_transport._opaque_sinkhorn_labels):
        library.opcheck(operation, (scores, 0.05, 3, True))
    factors = scores.detach().requires_grad_(), torch.rand(4, 6, requires_grad=True)
    library.opcheck(fast_linear._opaque_exact_linear, factors)
