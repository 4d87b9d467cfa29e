"""Correspondence losses against the original programs and literal readings of the paper.

Of the random walks, case 2 of the golden vectors is left out on purpose: it is an option of CRW's program that
multiplies the transitions in the wrong order.
"""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models.mask_vos.correspondence.anchors import anchor_losses
from mmsigma.models.mask_vos.correspondence.crw import random_walk_loss, transitions
from mmsigma.models.mask_vos.correspondence.mast import photometric_loss, reconstruct
from mmsigma.models.mask_vos.correspondence.short_long import best_match, long_term_loss, short_term_loss
from mmsigma.ops.view_geometry import warp_to_view
from tests.golden_mask_vos import load_vectors


@pytest.mark.parametrize('temperature', [1.0, 0.1, 0.07, 0.05])
def test_paper(temperature: float) -> None:
    vectors = load_vectors('loss_paper_short_long')
    label = f'tau{temperature}'.replace('.', 'p')
    x_next, view, frame, x_far, view_far = (
        vectors.tensor(f'in_{name}').double() for name in ('x_t1', 'xp_t', 'i_t', 'x_tp', 'xp_tp')
    )
    short, long = short_term_loss(x_next, view, temperature), long_term_loss(x_far, view_far, frame, temperature)
    assert float(short) == pytest.approx(vectors.arrays[f'out_short_mean_{label}_f64'].item(), rel=1e-5)
    assert float(long) == pytest.approx(vectors.arrays[f'out_long_mean_{label}_f64'].item(), rel=1e-5)
    match = best_match(view_far, frame).view(2, 7, 8)
    assert torch.equal(match, vectors.tensor('out_match_index').long())


def test_release() -> None:
    vectors = load_vectors('loss_code_corr')
    first = vectors.tensor('in_view1_feats').requires_grad_()
    second = vectors.tensor('in_view2_feats').requires_grad_()
    found = anchor_losses(
        first,
        second,
        vectors.tensor('in_theta_inv'),
        vectors.tensor('in_anchor_index'),
        vectors.tensor('in_ref_index'),
        vectors.entry['temperature'],
    )
    loss = 0.1 * found.cross + found.temporal
    for name, value in (('loss_temp', found.temporal), ('loss_cross_key', found.cross), ('loss_main', loss)):
        assert float(value) == pytest.approx(vectors.arrays[f'out_{name}'].item(), rel=1e-4), name
    assert (found.pseudo == vectors.tensor('out_pseudo')).float().mean() >= 0.995
    errors = vectors.tensor('out_error_map')  # of every cell, of the first frame too
    for time in (1, 2):
        pair = anchor_losses(
            first[:, [0, time]],
            second[:, [0, time]],
            vectors.tensor('in_theta_inv'),
            vectors.tensor('in_anchor_index'),
            vectors.tensor('in_ref_index'),
        )
        assert float(pair.temporal) == pytest.approx(float(errors[:, time].mean()), rel=1e-4)
    aligned = warp_to_view(first[:, 0].detach(), vectors.tensor('in_theta_inv'))
    assert torch.equal(aligned[:, ::4], vectors.tensor('out_view1_aligned_first'))
    loss.backward()
    torch.testing.assert_close(first.grad[:, :, ::4], vectors.tensor('out_grad_view1'), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(second.grad[:, 0, ::4], vectors.tensor('out_grad_view2_first'), rtol=1e-3, atol=1e-5)
    assert not second.grad[:, 1:].any()


@pytest.mark.parametrize('case', range(2))
def test_random_walk(case: int) -> None:
    vectors = load_vectors('loss_crw')
    nodes = vectors.tensor('in_nodes').requires_grad_()
    found = random_walk_loss(nodes, vectors.entry['cases'][case]['temperature'])
    assert float(found.loss) == pytest.approx(vectors.arrays[f'out_loss{case}'].item(), rel=1e-4)
    torch.testing.assert_close(found.per_walk.double(), vectors.tensor(f'out_xent{case}'), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.accuracy.double(), vectors.tensor(f'out_acc{case}'), rtol=1e-6, atol=1e-6)
    found.loss.backward()
    torch.testing.assert_close(nodes.grad, vectors.tensor(f'out_grad{case}'), rtol=1e-3, atol=1e-6)
    if case == 0:
        one, other = (nodes.detach()[:, :, time].transpose(1, 2) for time in (0, 1))
        forth, back = transitions(one, other, 0.07)
        torch.testing.assert_close(forth, vectors.tensor('out_P12'), rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(back, vectors.tensor('out_P21'), rtol=1e-4, atol=1e-6)


def test_dropped_edges() -> None:
    nodes = F.normalize(torch.randn(2, 8, 4, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    seeds = [torch.Generator().manual_seed(seed) for seed in (1, 1, 2)]
    first, again, other = (random_walk_loss(nodes, dropout=0.3, generator=seed).loss for seed in seeds)
    assert first == again and first != other and first != random_walk_loss(nodes).loss
    with pytest.raises(ValueError, match='walks need three frames or more, got 2'):
        random_walk_loss(nodes[:, :, :2])


@pytest.mark.parametrize('case', range(3))
def test_photometric(case: int) -> None:
    vectors = load_vectors('loss_mast')
    settings = vectors.entry['cases'][case]
    target, reference = (vectors.tensor(f'in_feat_{name}').requires_grad_() for name in ('tar', 'ref'))
    channels = settings['lab_channels']
    target_lab, reference_lab = (vectors.tensor(f'in_lab_{name}')[:, channels] for name in ('tar', 'ref'))
    copied = reconstruct(target, reference, reference_lab[..., ::4, ::4], settings['window_radius'])
    torch.testing.assert_close(copied.detach(), vectors.tensor(f'out_recon{case}'), rtol=1e-4, atol=1e-5)
    loss = photometric_loss(target, reference, target_lab, reference_lab, settings['window_radius'])
    assert float(loss) == pytest.approx(vectors.arrays[f'out_loss{case}'].item(), rel=1e-4)
    loss.backward()
    torch.testing.assert_close(reference.grad, vectors.tensor(f'out_grad_ref{case}'), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(target.grad, vectors.tensor(f'out_grad_tar{case}'), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_walks_under_autocast_are_those_of_float32(dtype: torch.dtype) -> None:
    nodes = F.normalize(torch.randn(2, 8, 4, 6, generator=torch.Generator().manual_seed(0)), dim=1).to(dtype)
    exact, lower = nodes.float().requires_grad_(), nodes.clone().requires_grad_()
    expected = random_walk_loss(exact, dropout=0.3, generator=torch.Generator().manual_seed(1)).loss
    with torch.autocast('cpu', dtype):
        found = random_walk_loss(lower, dropout=0.3, generator=torch.Generator().manual_seed(1)).loss
    torch.testing.assert_close(found, expected)
    expected.backward()
    found.backward()
    torch.testing.assert_close(lower.grad.float(), exact.grad, rtol=1e-2, atol=1e-3)
