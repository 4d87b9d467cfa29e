"""TCC against its release; drawn cycles; videos of unequal lengths against each pair alone."""

import pytest
import torch
from torch import Tensor

from mmsigma.models.gta.losses.tcc import TCCLoss, cycle_regression, draw_cycles, pair_cycles
from mmsigma.models.gta.losses.video_group import VideoGroup, pair_indices
from tests.golden_gta import Case, case_names, load_case

KINDS = ('classification', 'regression_mse', 'regression_mse_var', 'regression_huber')


def build(case: Case) -> TCCLoss:
    names = ('similarity', 'temperature', 'label_smoothing', 'variance_lambda', 'huber_delta', 'normalize_indices')
    settings = {name: case.params[name] for name in names if name in case.params}
    return TCCLoss(case.params['loss_type'], **settings)


def given(case: Case, embs: Tensor) -> VideoGroup:
    if not case.params.get('steps_given', True):
        return VideoGroup(embs)
    return VideoGroup(embs, steps=case.tensor('steps'), num_frames=case.tensor('seq_lens'))


def check(case: Case, dtype: torch.dtype, loss: TCCLoss, *cycles: tuple[Tensor, Tensor]) -> None:
    embs = case.tensor('embs', dtype).requires_grad_()
    inputs = torch.nn.functional.normalize(embs, dim=-1) if case.params.get('normalize_embeddings') else embs
    value = loss(given(case, inputs), *cycles)['loss_cycle']
    value.backward()
    if case.params['loss_type'].endswith('var'):
        torch.testing.assert_close(value.detach().float(), case.tensor('loss'), rtol=1e-4, atol=0)
    else:
        case.assert_close(value, 'loss', 'loss')
    case.assert_close(embs.grad, 'grad', 'grad')


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', [name for name in case_names('tcc_loss') if name.startswith('det')])
def test_all_pairs(name: str, dtype: torch.dtype) -> None:
    case = load_case('tcc_loss', name)
    check(case, dtype, build(case))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', [name for name in case_names('tcc_loss') if name.startswith('stoch')])
def test_given_cycles(name: str, dtype: torch.dtype) -> None:
    case = load_case('tcc_loss', name)
    check(case, dtype, build(case), (case.tensor('cycles'), case.tensor('start')))


@pytest.mark.parametrize('name', [name for name in case_names('tcc_loss') if name.startswith('pair')])
def test_logits_of_a_pair(name: str) -> None:
    case = load_case('tcc_loss', name)
    logits, places, video = pair_cycles(VideoGroup(case.tensor('embs')).complete(), **case.params)
    torch.testing.assert_close(logits[0], case.tensor('logits_0_1'), rtol=1e-5, atol=1e-6)
    assert int(video[0]) == 0 and places[0].tolist() == list(range(logits.shape[1]))


def embeddings(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize('kind', KINDS)
def test_lengths(kind: str) -> None:
    lengths = torch.tensor([6, 2, 4])
    embs = embeddings(3, 6, 5)
    for video, length in enumerate(lengths.tolist()):
        embs[video, length:] = torch.nan
    embs.requires_grad_()
    loss = TCCLoss(kind)
    found = loss(VideoGroup(embs, lengths))['loss_cycle']
    (gradient,) = torch.autograd.grad(found, embs)
    assert gradient.isfinite().all()
    total, frames = 0, 0
    for i, j in zip(*pair_indices(3, 'all'), strict=True):
        u, v = embs[i, : lengths[i]], embs[j, : lengths[j]]
        near = (-torch.cdist(u, v).square() / 0.5).softmax(dim=1) @ v
        logits = -torch.cdist(near, u).square() / 0.5
        times = torch.arange(len(u)) / len(u)
        if kind == 'classification':
            part = torch.nn.functional.cross_entropy(logits, torch.arange(len(u)), label_smoothing=0.1)
        else:
            part = cycle_regression(logits[None], torch.arange(len(u))[None], times[None].double(), kind)
        total, frames = total + part * len(u), frames + len(u)
    torch.testing.assert_close(found, total / frames)


def test_variance_has_a_floor() -> None:
    """Embeddings far apart: the softmax is one-hot, its variance underflows, and so would the loss's denominator."""
    embs = (100 * embeddings(2, 8, 4)).float()
    bare, safe = (TCCLoss(variance_floor=floor)(VideoGroup(embs))['loss_cycle'] for floor in (1e-30, 1e-5))
    assert safe < 1e5 < bare


def test_drawn_cycles() -> None:
    lengths = torch.tensor([5, 3, 9, 4])
    generator = torch.Generator().manual_seed(0)
    cycles, start = draw_cycles(lengths, 2000, 3, generator)
    assert cycles.shape == (2000, 4) and torch.equal(cycles[:, 0], cycles[:, -1])
    assert all(len(set(cycle[:3])) == 3 for cycle in cycles.tolist())
    assert (start < lengths[cycles[:, 0]]).all()
    assert torch.bincount(cycles[:, 1], minlength=4).min() > 400
    for video, length in enumerate(lengths.tolist()):
        assert start[cycles[:, 0] == video].unique().tolist() == list(range(length))
    loss = TCCLoss('classification', num_cycles=20, cycle_length=3)
    assert loss(VideoGroup(embeddings(4, 9, 5), lengths))['loss_cycle'].isfinite()


@pytest.mark.parametrize('kind', KINDS)
def test_gradient_by_differences(kind: str) -> None:
    lengths = torch.tensor([4, 3, 4])
    loss = TCCLoss(kind, variance_floor=0)
    embs = embeddings(3, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: loss(VideoGroup(x, lengths))['loss_cycle'], (embs,))


def test_what_is_refused() -> None:
    videos = VideoGroup(embeddings(3, 4, 3), torch.tensor([4, 2, 4]))
    for arguments, message in (
        (dict(kind='regression'), 'kind must be one of'),
        (dict(similarity='dot'), 'similarity of'),
        (dict(temperature=0), 'temperature must be positive'),
        (dict(variance_floor=-1), 'variance_floor not negative'),
    ):
        with pytest.raises(ValueError, match=message):
            TCCLoss(**arguments)
    with pytest.raises(ValueError, match='1 video in the group'):
        TCCLoss()(VideoGroup(embeddings(1, 4, 3)))
    with pytest.raises(ValueError, match='have a length of 2 to 3, not 4'):
        TCCLoss(num_cycles=5, cycle_length=4)(videos)
    with pytest.raises(ValueError, match='must end with the video they began with'):
        TCCLoss()(videos, (torch.tensor([[0, 1, 2]]), torch.tensor([0])))
    with pytest.raises(ValueError, match='a frame that does not exist'):
        TCCLoss()(videos, (torch.tensor([[1, 0, 1]]), torch.tensor([2])))
