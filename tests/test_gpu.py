"""What only a GPU can show; skipped without one."""

import pytest
import torch

from mmsigma.models import PrototypeHead
from mmsigma.ops import sinkhorn, sinkhorn_labels, split_tokens
from tests.dist.workers import joint_batch, tiny_sigma

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')]


def test_sinkhorn_equals_the_cpu():
    scores = torch.nn.functional.normalize(torch.randn(500, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    expected = sinkhorn(scores, 0.03)
    torch.testing.assert_close(sinkhorn(scores.cuda(), 0.03).cpu(), expected, atol=1e-5, rtol=1e-3)
    assert torch.equal(sinkhorn_labels(scores.cuda(), 0.03).cpu(), expected.argmax(dim=1))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize('target', ['mlp', 'dino'])
def test_loss_equals_the_cpu(target, dtype):
    model, (clips, mask) = tiny_sigma(target), joint_batch()
    expected = model.loss(clips, split_tokens(mask))['loss_pred']
    with torch.autocast('cuda', dtype, enabled=dtype != torch.float32):
        terms = model.cuda().loss(clips.cuda(), split_tokens(mask.cuda()))
    assert terms['loss_pred'].item() == pytest.approx(expected.item(), rel=1e-4 if dtype == torch.float32 else 0.1)
    sum(value for name, value in terms.items() if 'loss' in name).backward()
    assert all(torch.isfinite(value.grad).all() for value in model.parameters())


def test_scores_are_float32_where_other_products_are_not():
    head, features = PrototypeHead(256, 400), torch.nn.functional.normalize(torch.randn(64, 256), dim=1)
    expected = head.scores(features)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('high')
    try:
        found = head.cuda().scores(features.cuda())
    finally:
        torch.set_float32_matmul_precision(before)
    torch.testing.assert_close(found.cpu(), expected, atol=1e-6, rtol=0)
