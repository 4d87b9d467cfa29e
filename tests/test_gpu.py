"""What only a GPU can show, for every algorithm; skipped without one."""

import copy

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmsigma.models import PrototypeHead
from mmsigma.ops import kmeans, sinkhorn, sinkhorn_labels, smooth_dtw, split_tokens
from mmsigma.utils.seeding import seed_everything
from tests.algorithms import CASES, total
from tests.dist.workers import joint_batch

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')]
PRECISIONS = [torch.float32, torch.bfloat16, torch.float16]
TRAINED = [name for name, case in CASES.items() if case.train]
TESTED = [name for name, case in CASES.items() if case.test]


@pytest.fixture(autouse=True)
def exact_products():
    """Compare with the CPU without TF32."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision('highest')
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]


@pytest.mark.parametrize('dtype', PRECISIONS)
@pytest.mark.parametrize('name', TRAINED)
def test_losses_and_gradients(name: str, dtype: torch.dtype) -> None:
    """Those of the CPU; only finite in half precision, whose errors decide on discrete codes and paths."""
    case = CASES[name]
    model, data = case.build().train(), case.train()
    twin = copy.deepcopy(model).cuda()
    found = []
    for one in (model, twin):
        batch = copy.deepcopy(data)
        seed_everything(1)
        device = next(one.parameters()).device.type
        batch = one.data_preprocessor(batch, True)
        with torch.autocast('cuda', dtype, enabled=device == 'cuda' and dtype != torch.float32):
            losses = one(**batch, mode='loss')
        total(losses).backward()
        found.append({key: value.item() for key, value in losses.items()})
    assert all(np.isfinite(value) for value in found[1].values())
    gradients = [value.grad for value in twin.parameters() if value.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)
    draws_on_the_device = ('random walk', 'classifier')
    if dtype == torch.float32 and name not in draws_on_the_device:
        assert found[1] == pytest.approx(found[0], rel=1e-3, abs=1e-5)
        for (key, one), two in zip(model.named_parameters(), twin.parameters(), strict=True):
            if one.grad is not None:
                scale = one.grad.abs().max().item()
                torch.testing.assert_close(two.grad.cpu(), one.grad, atol=1e-3 * scale + 1e-7, rtol=1e-2, msg=key)


@pytest.mark.parametrize('name', TESTED)
def test_predictions(name: str) -> None:
    case = CASES[name]
    model, data = case.build().eval(), case.test()
    twin = copy.deepcopy(model).cuda()
    with torch.no_grad():
        expected, found = model.test_step(copy.deepcopy(data)), twin.test_step(data)
    for one, two in zip(expected, found, strict=True):
        assert set(one.keys()) == set(two.keys())
        for field in ('mean_features', 'embeddings', 'pred_score', 'pred_joints', 'pred_count'):
            if field in one:
                values = [torch.as_tensor(getattr(sample, field)).cpu() for sample in (one, two)]
                torch.testing.assert_close(values[1], values[0], atol=1e-3, rtol=1e-2)
        if 'pred_masks' in one and isinstance(one.pred_masks, np.ndarray):
            assert (one.pred_masks == two.pred_masks).mean() > 0.99  # ties may go either way


@pytest.mark.parametrize('mode', [None, torch.bfloat16])
@pytest.mark.parametrize('name', [name for name in TRAINED if name.startswith('SIGMA')])
def test_compiled(name: str, mode: torch.dtype | None) -> None:
    eager = CASES[name].build().train().cuda()
    compiled = copy.deepcopy(eager)
    clips, mask = (tensor.cuda() for tensor in joint_batch())
    split = split_tokens(mask)
    torch._dynamo.reset()
    run = torch.compile(compiled.loss, fullgraph=True)
    with torch.autocast('cuda', mode or torch.bfloat16, enabled=mode is not None):
        expected, found = eager.loss(clips, split), run(clips, split)
    for losses in (expected, found):
        total(losses).backward()
    tolerance = 1e-3 if mode is None else 0.1
    torch.testing.assert_close(total(found), total(expected), atol=tolerance, rtol=tolerance)
    if mode is None:
        for (key, one), two in zip(eager.named_parameters(), compiled.parameters(), strict=True):
            scale = one.grad.abs().max().item()
            torch.testing.assert_close(two.grad, one.grad, atol=1e-2 * scale + 1e-7, rtol=1e-2, msg=key)


def test_sinkhorn_equals_the_cpu() -> None:
    scores = torch.nn.functional.normalize(torch.randn(500, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    expected = sinkhorn(scores, 0.03)
    torch.testing.assert_close(sinkhorn(scores.cuda(), 0.03).cpu(), expected, atol=1e-5, rtol=1e-3)
    assert torch.equal(sinkhorn_labels(scores.cuda(), 0.03).cpu(), expected.argmax(dim=1))


def test_kmeans_equals_the_cpu() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(600, 8, generator=generator) + 8 * torch.randint(0, 2, (600, 8), generator=generator)
    init = points[:5].clone()
    expected, found = kmeans(points, 5, init=init), kmeans(points.cuda(), 5, init=init.cuda())
    assert found.inertia == pytest.approx(expected.inertia, rel=1e-4)
    assert (found.labels.cpu() == expected.labels).float().mean() > 0.99


@pytest.mark.parametrize('gamma', [0.1, 1.0])
def test_soft_dtw_equals_the_cpu(gamma: float) -> None:
    cost = torch.rand(3, 40, 33, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([40, 21, 33]), torch.tensor([33, 33, 12])
    results = []
    for device in ('cpu', 'cuda'):
        given = cost.to(device).requires_grad_()
        value = smooth_dtw(given, gamma, lengths=lengths).value
        value.sum().backward()
        results.append((value.detach().cpu(), given.grad.cpu()))
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(two, one, atol=1e-4, rtol=1e-4)


def test_scores_are_float32_where_other_products_are_not() -> None:
    head, features = PrototypeHead(256, 400), torch.nn.functional.normalize(torch.randn(64, 256), dim=1)
    expected = head.scores(features)
    torch.set_float32_matmul_precision('high')
    found = head.cuda().scores(features.cuda())
    torch.testing.assert_close(found.cpu(), expected, atol=1e-6, rtol=0)


def test_steps_wait_for_nothing_between_logs() -> None:
    """CUDA itself reports what makes the host wait."""
    case = CASES['SIGMA with an MLP']
    model = case.build().train().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    loader = DataLoader([case.train()], batch_size=None, num_workers=1, pin_memory=True)
    (data,) = loader
    assert all(clip.is_pinned() for clip in data['inputs'])
    assert all(sample.masked.is_pinned() and sample.visible.is_pinned() for sample in data['data_samples'])
    total(model(**model.data_preprocessor(copy.deepcopy(data), True), mode='loss')).backward()  # first uses may wait
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        total(model(**model.data_preprocessor(data, True), mode='loss')).backward()
        optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode('default')
