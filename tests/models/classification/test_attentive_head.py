"""The attentive probe against the original."""

import pytest
import torch

from mmsigma.models import AttentiveHead
from tests.golden_evaluation import load_case


@pytest.mark.parametrize('depth', [1, 3])
def test_official_attentive_probe(depth: int) -> None:
    case = load_case('attentive_probe')
    prefix = f'in_depth{depth}__w__'
    weights = {name.removeprefix(prefix): case.tensor(name) for name in case.arrays if name.startswith(prefix)}
    head = AttentiveHead(16, 5, num_heads=2, depth=depth)
    head.load_state_dict(weights)
    tokens = case.tensor(f'in_depth{depth}__x')
    torch.testing.assert_close(head.pooler(tokens), case.tensor(f'out_depth{depth}__pooled'), atol=2e-5, rtol=0)
    torch.testing.assert_close(head(tokens), case.tensor(f'out_depth{depth}__logits'), atol=2e-5, rtol=0)
