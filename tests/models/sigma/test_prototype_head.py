"""Heads: parity of the SIGMA loss with the release, levels of prototypes, and signs of collapse."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmsigma.models import PrototypeHead
from mmsigma.models.sigma.prototype_head import collapse_statistics
from mmsigma.models.sigma.swapped_assignment import SwappedAssignment
from mmsigma.ops import sinkhorn, sinkhorn_labels


def official_head(case: dict, prototypes: np.ndarray, hard_labels: bool) -> PrototypeHead:
    loss = dict(
        type='SwappedAssignmentLoss',
        epsilon=case['epsilon'],
        num_iters=case['iterations'],
        temperature=case['temperature'],
        hard_labels=hard_labels,
    )
    head = PrototypeHead(case['D'], case['K'], loss)
    head.prototypes[0].data.copy_(torch.from_numpy(prototypes))
    return head


@pytest.mark.golden_cases('sigma_loss')
@pytest.mark.parametrize(('hard_labels', 'prefix'), [(True, ''), (False, 'derived_soft_')], ids=['hard', 'soft'])
def test_official_loss_and_gradients(golden_case, hard_labels: bool, prefix: str) -> None:
    arrays, case = golden_case
    head = official_head(case, arrays['prototypes_raw'], hard_labels)
    target, pred = (torch.from_numpy(arrays[name].copy()).requires_grad_() for name in ('x_phi', 'x_psi'))
    losses = head.loss(pred, target)
    total = losses['loss_target'] + losses['loss_pred']
    assert total.item() == pytest.approx(arrays[f'{prefix}loss'].item(), rel=1e-5)
    if hard_labels:
        assert losses['loss_target'].item() == pytest.approx(arrays['loss_phi_predicts_psi'].item(), rel=1e-5)
        assert losses['loss_pred'].item() == pytest.approx(arrays['loss_psi_predicts_phi'].item(), rel=1e-5)
    total.backward()
    for name, tensor in dict(x_phi=target, x_psi=pred, prototypes=head.prototypes[0]).items():
        expected = arrays[f'{prefix}grad_{name}']
        np.testing.assert_allclose(tensor.grad, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.golden_cases('sigma_loss')
def test_official_scores_codes_and_labels(golden_case) -> None:
    arrays, case = golden_case
    head = official_head(case, arrays['prototypes_raw'], hard_labels=True)
    np.testing.assert_allclose(head.unit_prototypes().detach(), arrays['prototypes_normalised'], atol=1e-6)
    for branch in ('phi', 'psi'):
        scores = head.scores(torch.from_numpy(arrays[f'x_{branch}'])).detach()
        np.testing.assert_allclose(scores, arrays[f'scores_{branch}'], atol=1e-6)
        settings = (scores.flatten(0, 1), case['epsilon'], case['iterations'])
        np.testing.assert_allclose(sinkhorn(*settings).view_as(scores), arrays[f'q_{branch}'], atol=2e-5)
        assert sinkhorn_labels(*settings).tolist() == arrays[f'hard_{branch}'].ravel().tolist()


@pytest.mark.parametrize('detach', [True, False])
def test_prototypes_learn_from_predictions_only_if_live(detach: bool) -> None:
    head = PrototypeHead(6, 5, detach_prototypes_for_pred=detach)
    losses = head.loss(torch.randn(2, 9, 6, requires_grad=True), torch.randn(2, 9, 6, requires_grad=True))
    (gradient,) = torch.autograd.grad(losses['loss_pred'], list(head.parameters()), allow_unused=True)
    assert gradient is None if detach else gradient.abs().sum() > 0


def test_prototypes_are_normalised_in_place_at_every_forward() -> None:
    head = PrototypeHead(6, [5, 3])
    places = [prototypes.data_ptr() for prototypes in head.prototypes]
    directions = [F.normalize(prototypes.detach(), dim=1) for prototypes in head.prototypes]
    head.loss(torch.randn(2, 9, 6), torch.randn(2, 9, 6))
    assert places == [prototypes.data_ptr() for prototypes in head.prototypes]
    for prototypes, direction in zip(head.prototypes, directions, strict=True):
        torch.testing.assert_close(prototypes.detach(), direction)


def test_prototypes_that_cannot_be_written_give_the_same_loss_and_gradient() -> None:
    pred, target = torch.randn(2, 9, 6), torch.randn(2, 9, 6)
    raw = 3 * torch.randn(5, 6)
    found = []
    for is_view in (False, True):
        head, leaf = PrototypeHead(6, 5), raw.clone().requires_grad_()
        del head.prototypes  # as FSDP shows parameters: as views of what it shards
        head.prototypes = [leaf[:] if is_view else leaf]
        losses = head.loss(pred, target)
        losses['loss_target'].backward()
        assert torch.equal(leaf.detach(), raw) == is_view
        found.append((losses['loss_target'], losses['loss_pred'], leaf.grad))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_scores_are_float32_inside_autocast(dtype: torch.dtype) -> None:
    head, features = PrototypeHead(16, 5), torch.randn(3, 4, 16).to(dtype)
    with torch.autocast('cpu', torch.bfloat16):
        scores = head.scores(features)
    unit = F.normalize(head.prototypes[0].double(), dim=1)
    expected = F.normalize(features.double(), dim=-1) @ unit.T
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, expected.float())


def test_levels_add_up_with_their_weights() -> None:
    pred, target = torch.randn(2, 9, 6), torch.randn(2, 9, 6)
    head = PrototypeHead(6, [3, 8], level_weights=[0.25, 2])
    found = head.loss(pred, target)
    single = ('loss_target', 'loss_pred', 'used_prototypes', 'assignment_entropy', 'relative_level')
    assert list(found) == [f'{name}_{level}' for level in (0, 1) for name in single]
    for level, (size, weight) in enumerate([(3, 0.25), (8, 2)]):
        alone = PrototypeHead(6, size)
        alone.prototypes[0].data.copy_(head.prototypes[level])
        for name, value in alone.loss(pred, target).items():
            factor = weight if name.startswith('loss') else 1
            torch.testing.assert_close(found[f'{name}_{level}'], factor * value)


def test_only_losses_are_summed_by_mmengine() -> None:
    names = PrototypeHead(6, 5).loss(torch.randn(2, 9, 6), torch.randn(2, 9, 6))
    assert [name for name in names if 'loss' in name] == ['loss_target', 'loss_pred']


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(num_prototypes=1), 'two prototypes or more; got 1'),
        (dict(num_prototypes=4e3), r'must be an integer, or one per level.* got 4000\.0'),
        (dict(num_prototypes='4000'), "got '4000'"),
        (dict(num_prototypes=[]), 'two prototypes or more'),
        (dict(num_prototypes=[4, 0]), r'two prototypes or more; got \[4, 0\]'),
        (dict(num_prototypes=[4, 8], level_weights=[1]), '2 levels but 1 level_weights'),
        (dict(loss=dict(type='SwappedAssignmentLoss', temperature=0)), 'temperature and epsilon must be positive'),
        (dict(loss=dict(type='SwappedAssignmentLoss', epsilon=-0.05)), 'epsilon=-0.05'),
        (dict(loss=dict(type='SwappedAssignmentLoss', num_iters=-1)), 'num_iters not negative.*num_iters=-1'),
    ],
)
def test_impossible_settings(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrototypeHead(6, **kwargs)


@pytest.mark.parametrize(
    ('labels', 'num_prototypes', 'used', 'entropy'),
    [
        ([0, 1, 2, 3] * 5, 4, 4, 1.0),
        ([2] * 20, 4, 1, 0.0),
        ([0, 1] * 10, 4, 2, 0.5),
        ([0, 1, 2], 100, 3, 1.0),
        ([0], 100, 1, 0.0),
    ],
    ids=['equal use', 'collapsed', 'half', 'fewer tokens than prototypes', 'one token'],
)
def test_signs_of_collapse(labels: list[int], num_prototypes: int, used: int, entropy: float) -> None:
    loss = torch.tensor(1.5 * math.log(num_prototypes))
    hard = torch.tensor(labels)
    for codes in (hard, 0.5 * F.one_hot(hard, num_prototypes) + 0.5 / num_prototypes):
        result = SwappedAssignment(loss, loss, codes_target=torch.zeros(3), codes_pred=codes)
        statistics = collapse_statistics(result, num_prototypes)
        assert {name: value.item() for name, value in statistics.items()} == pytest.approx(
            dict(used_prototypes=used, assignment_entropy=entropy, relative_level=1.5)
        )


def test_collapsed_predictions_show_in_the_statistics() -> None:
    target = torch.randn(2, 50, 6)
    head = PrototypeHead(6, 8)
    collapsed = head.loss(torch.ones(2, 50, 6), target)
    spread = head.loss(torch.randn(2, 50, 6), target)
    assert collapsed['used_prototypes'] < 4 < spread['used_prototypes']
    assert collapsed['assignment_entropy'] < 0.7 < spread['assignment_entropy']


def test_uninformed_guess_has_relative_level_one() -> None:
    head = PrototypeHead(6, 8)
    head.prototypes[0].data.copy_(torch.ones(8, 6))
    losses = head.loss(torch.randn(2, 9, 6), torch.randn(2, 9, 6))
    assert losses['relative_level'].item() == pytest.approx(1)


def test_two_losses_in_one_graph() -> None:
    """The prototypes are written at every forward pass, and a backward pass through both has to work."""
    torch.manual_seed(0)
    head = PrototypeHead(8, 4, detach_prototypes_for_pred=False)
    clips = [(torch.randn(1, 6, 8), torch.randn(1, 6, 8)) for _ in range(2)]
    sum(value for clip in clips for name, value in head.loss(*clip).items() if name.startswith('loss')).backward()
    together, head.prototypes[0].grad = head.prototypes[0].grad, None
    for clip in clips:
        terms = head.loss(*clip)
        (terms['loss_target'] + terms['loss_pred']).backward()
    torch.testing.assert_close(together, head.prototypes[0].grad)


def test_stored_prototypes_are_normalised() -> None:
    head = PrototypeHead(8, [4, 6])
    with torch.no_grad():
        for prototypes in head.prototypes:
            prototypes.mul_(3)
    head.normalize_prototypes()
    for prototypes in head.prototypes:
        torch.testing.assert_close(prototypes.norm(dim=1), torch.ones(len(prototypes)))
