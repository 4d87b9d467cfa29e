"""GTA's loss against the release, videos of unequal lengths against each pair alone, and what is refused."""

import pytest
import torch
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import tau_matrix
from mmsigma.models.gta.losses.gta import D2TWLoss, GTALoss, align_pairs, cycle_consistency
from mmsigma.models.gta.losses.video_group import VideoGroup, pair_indices
from mmsigma.ops.soft_dtw import contrastive_cost, smooth_dtw
from tests.golden_gta import Case, case_names, load_case
from tests.models.gta.groups import embeddings
from tests.ops.test_soft_dtw import double_loop

KINDS = {'dtw_prob': 'smoothmin', 'dtw_minGamma': 'logsumexp'}


def build(case: Case) -> torch.nn.Module:
    params = case.params
    shared = dict(gamma=params['gamma_s'], temperature=params['gamma_f'], kind=KINDS[params['softening']])
    if params['loss'] == 'D2TW':
        return D2TWLoss(**shared)
    settings = dict(skip_frames=params['skip'], label_smoothing=params['label_smoothing'], revcons=params['revcons'])
    return GTALoss(**shared, **settings)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', case_names('gta_loss'))
def test_original(name: str, dtype: torch.dtype) -> None:
    case = load_case('gta_loss', name)
    embs = case.tensor('embs', dtype).requires_grad_()
    loss = build(case)
    total = sum(loss(VideoGroup(embs)).values())
    total.backward()
    exact = dtype == torch.float64
    for name in ('total', 'total_f64'):
        case.assert_close(total, name, 'loss')
    for name in {'grad', 'grad_ref'} & set(case.arrays):  # the original's has no number in some cases
        case.assert_close(embs.grad, name, 'grad')
    if exact:
        torch.testing.assert_close(total.detach(), case.tensor('total_f64'), rtol=1e-10, atol=0)
        reference = case.tensor('grad_ref').double()  # itself rounded to float32
        limit = 2e-7 * float(reference.abs().max()) + 1e-9
        torch.testing.assert_close(embs.grad, reference, rtol=0, atol=limit)


@pytest.mark.parametrize('name', [name for name in case_names('gta_loss') if name.endswith('rev1')])
def test_parts_of_the_original(name: str) -> None:
    case = load_case('gta_loss', name)
    loss = build(case)
    aligned = align_pairs(VideoGroup(case.tensor('embs', torch.float64)).complete(), **loss.settings)
    # soft minima bring some of these sums close to 0, where float32 leaves fewer digits
    case.assert_close(aligned.forth.value, 'final_ij', 'loss', atol=1e-7)
    case.assert_close(aligned.back.value, 'final_ji', 'loss', atol=1e-7)
    found = cycle_consistency(aligned, **loss.cycle)
    rows = int(aligned.rows[0])
    assert (aligned.rows == rows).all()
    cycle = found.cycle[:, :rows, :rows].flatten(0, 1).float()
    torch.testing.assert_close(cycle, case.tensor('cycle'), rtol=0, atol=1e-6)
    case.assert_close(found.loss, 'loss_con', 'loss')
    paper = cycle_consistency(aligned, cycle='probability').loss
    case.assert_close(paper, 'paper_ce', 'loss')


def total_and_gradient(loss: torch.nn.Module, embs: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    embs = embs.clone().requires_grad_()
    total = sum(loss(VideoGroup(embs, lengths)).values())
    (gradient,) = torch.autograd.grad(total, embs)
    return total.detach(), gradient


@pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
@pytest.mark.parametrize('cycle', ['logits', 'probability'])
@pytest.mark.parametrize('skip_frames', [1, 2])
def test_lengths(kind: str, cycle: str, skip_frames: int) -> None:
    lengths = torch.tensor([7, 3, 9, 1])
    embs = embeddings(4, 9, 6)
    for video, length in enumerate(lengths.tolist()):
        embs[video, length:] = torch.nan  # padding has no influence, whatever it is
    loss = GTALoss(kind=kind, cycle=cycle, skip_frames=skip_frames)
    total, gradient = total_and_gradient(loss, embs, lengths)
    alone, expected = [], torch.zeros_like(embs)
    for other in range(1, 4):
        # a pair by itself, cut to the longer one; the shorter one still has a length
        both = torch.tensor([0, other])
        longest = int(lengths[both].max())
        value, part = total_and_gradient(loss, embs[both][:, :longest], lengths[both])
        alone.append(value)
        expected[both, :longest] += part / 3
    torch.testing.assert_close(total, torch.stack(alone).mean(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)
    assert not any(gradient[video, length:].any() for video, length in enumerate(lengths.tolist()))


def test_a_pair_without_padding() -> None:
    """A shorter second video against the same video cut by hand, with tables of unequal sides."""
    embs, lengths = embeddings(2, 8, 5), torch.tensor([8, 5])
    padded = align_pairs(VideoGroup(embs, lengths).complete())
    x, y = embs[:1], embs[1:, :5]
    torch.testing.assert_close(padded.forth.table[:, :8, :5], smooth_dtw(contrastive_cost(x, y), 0.1).table)
    torch.testing.assert_close(padded.back.table[:, :5, :8], smooth_dtw(contrastive_cost(y, x), 0.1).table)
    forth, back = padded.forth.table[0, :8, :5], padded.back.table[0, :5, :8]
    cycle = (-forth).softmax(dim=0) @ (-back).softmax(dim=0)
    expected = torch.nn.functional.cross_entropy(cycle.T, torch.arange(8), label_smoothing=0.1)
    torch.testing.assert_close(cycle_consistency(padded).loss, expected)


@pytest.mark.parametrize('kind', ['smoothmin', 'logsumexp'])
def test_without_contrast(kind: str) -> None:
    embs, lengths, settings = embeddings(3, 7, 5), torch.tensor([7, 4, 6]), dict(kind=kind, cost='cosine')
    videos = VideoGroup(embs, lengths)
    expected = []
    for other in (1, 2):
        cost = 1 - embs[0, :7] @ embs[other, : lengths[other]].T
        forth, back = double_loop(cost, 0.1, kind), double_loop(cost.T, 0.1, kind)
        cycle = (-forth).softmax(dim=0) @ (-back).softmax(dim=0)
        consistency = torch.nn.functional.cross_entropy(cycle.T, torch.arange(7), label_smoothing=0.1)
        expected.append(torch.stack([0.1 * forth[-1, -1], 0.1 * back[-1, -1], consistency]))
    forth, back, consistency = torch.stack(expected).mean(dim=0)
    terms = GTALoss(**settings, temperature=7.0)(videos)
    for name, value in (('forth', forth), ('back', back), ('cycle', consistency)):
        torch.testing.assert_close(terms[f'loss_{name}'], value)
    torch.testing.assert_close(D2TWLoss(**settings)(videos)['loss_forth'], 10 * forth)
    assert abs(D2TWLoss(kind=kind)(videos)['loss_forth'] - 10 * forth) > 1  # the contrastive one is another


def test_a_cost_that_is_none() -> None:
    with pytest.raises(ValueError, match="cost must be one of .* got 'l2'"):
        align_pairs(VideoGroup(embeddings(2, 3, 4)).complete(), cost='l2')


def test_all_pairs() -> None:
    embs, lengths = embeddings(3, 6, 5), torch.tensor([6, 4, 5])
    terms = GTALoss('all')(VideoGroup(embs, lengths))
    first, second = pair_indices(3, 'all')
    pairs = [
        GTALoss()(VideoGroup(embs[[i, j]], lengths[[i, j]]))
        for i, j in zip(first.tolist(), second.tolist(), strict=True)
    ]
    for name in ('loss_forth', 'loss_back'):
        torch.testing.assert_close(terms[name], torch.stack([pair[name] for pair in pairs]).mean())
    weights = lengths[first] / lengths[first].sum()  # the mean is over the frames of all pairs
    expected = (torch.stack([pair['loss_cycle'] for pair in pairs]) * weights).sum()
    torch.testing.assert_close(terms['loss_cycle'], expected)


def test_weights() -> None:
    embs = embeddings(3, 6, 5)
    plain = GTALoss()(VideoGroup(embs))
    terms = GTALoss(alignment_weight=0.3, cycle_weight=2)(VideoGroup(embs))
    torch.testing.assert_close(terms['loss_forth'], 3 * plain['loss_forth'])
    torch.testing.assert_close(terms['loss_cycle'], 2 * plain['loss_cycle'])
    assert set(GTALoss(revcons=False)(VideoGroup(embs))) == {'loss_forth', 'loss_back'}


def test_gradient_by_differences() -> None:
    lengths = torch.tensor([4, 3, 5])
    for cycle in ('logits', 'probability'):
        loss = GTALoss(cycle=cycle, pairs='all')
        embs = embeddings(3, 5, 3).requires_grad_()
        assert torch.autograd.gradcheck(lambda x, loss=loss: sum(loss(VideoGroup(x, lengths)).values()), (embs,))


def test_long_videos_and_low_temperatures_are_finite() -> None:
    for cycle in ('logits', 'probability'):
        embs = embeddings(2, 200, 16, dtype=torch.float32).requires_grad_()
        loss = GTALoss(gamma=1e-3, temperature=1e-2, cycle=cycle)
        total = sum(loss(VideoGroup(embs, torch.tensor([200, 10]))).values())
        total.backward()
        assert total.isfinite() and embs.grad.isfinite().all() and embs.grad.any()


def test_autocast_changes_nothing() -> None:
    embs = embeddings(2, 7, 5, dtype=torch.float32)
    expected = GTALoss()(VideoGroup(embs))
    with torch.autocast('cpu', torch.bfloat16):
        found = GTALoss()(VideoGroup(embs))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize('loss', [GTALoss(), GTALoss(cycle='probability'), GTALoss(revcons=False), D2TWLoss()])
def test_training_aligns(loss: torch.nn.Module) -> None:
    """Embeddings that are free to move put frames in an order that all videos share."""
    lengths, embs = torch.tensor([16, 12, 8, 16]), torch.nn.Parameter(torch.randn(4, 16, 8))
    optimizer, scores = torch.optim.Adam([embs], 0.05), []
    for step in range(121):
        videos = torch.nn.functional.normalize(embs, dim=2)
        if step % 120 == 0:
            whole = [video[:length].detach() for video, length in zip(videos, lengths.tolist(), strict=True)]
            scores.append(float(tau_matrix(whole, stride=1).nanmean()))
        optimizer.zero_grad()
        sum(loss(VideoGroup(videos, lengths)).values()).backward()
        optimizer.step()
    assert scores[0] < 0.3 and scores[1] > 0.6


def test_what_is_refused() -> None:
    for arguments, message in (
        (dict(gamma=0), 'gamma and temperature must be positive'),
        (dict(temperature=-1), 'gamma and temperature must be positive'),
        (dict(pairs='some'), 'pairs one of'),
        (dict(kind='hard'), 'kind must be one of'),
        (dict(cost='l2'), "cost one of .* got 'smoothmin', 'star' and 'l2'"),
        (dict(cycle='text'), 'cycle must be one of'),
        (dict(label_smoothing=1), 'label_smoothing within'),
        (dict(skip_frames=0), 'skip_frames at least 1'),
    ):
        with pytest.raises(ValueError, match=message):
            GTALoss(**arguments)


def test_lengths_that_differ_twentyfold() -> None:
    embs = embeddings(2, 100, 8, dtype=torch.float32).requires_grad_()
    total = sum(GTALoss()(VideoGroup(embs, torch.tensor([100, 5]))).values())
    total.backward()
    assert total.isfinite() and embs.grad.isfinite().all()
