"""TCN, Shuffle and Learn, SpeedNet, D3TW*, Soft-DTW, LAV and their combination."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models.gta.alignment_head import AlignmentHead, CombinedHead
from mmsigma.models.gta.losses.d3tw import D3TWStarLoss, discriminative_loss, draw_kept
from mmsigma.models.gta.losses.lav import (
    LAVLoss,
    SoftDTWLoss,
    contrastive_idm,
    soft_dtw,
    soft_dtw_divergence,
)
from mmsigma.models.gta.losses.shuffle_and_learn import Triplets, draw_triplets
from mmsigma.models.gta.losses.tcn import TCNLoss
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.gta.order_head import OrderHead, SpeedHead, two_speeds
from tests.golden_gta import case_names, load_case
from tests.ops.test_soft_dtw import double_loop

DTYPES = [torch.float32, torch.float64]


def embeddings(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*shape, generator=generator, dtype=torch.float64), dim=-1)


def alone(
    loss: torch.nn.Module, embs: Tensor, lengths: Tensor, videos: list[int], name: str, **given: Tensor
) -> Tensor:
    longest = int(lengths[videos].max())
    return loss(VideoGroup(embs[videos][:, :longest], lengths[videos]), **given)[name]


class TestTCN:
    @pytest.mark.parametrize('dtype', DTYPES)
    @pytest.mark.parametrize('name', [name for name in case_names('tcn_sal') if name.startswith('tcn')])
    def test_release(self, name: str, dtype: torch.dtype) -> None:
        case = load_case('tcn_sal', name)
        embs = case.tensor('embs', dtype).requires_grad_()
        value = TCNLoss(reg_lambda=case.params['reg_lambda'])(VideoGroup(embs))['loss_tcn']
        value.backward()
        torch.testing.assert_close(value.detach().float(), case.tensor('loss'), rtol=1e-5, atol=0)
        allowed = 1e-6 + 1e-4 * float(case.tensor('grad').abs().max())
        torch.testing.assert_close(embs.grad.float(), case.tensor('grad'), rtol=0, atol=allowed)

    @pytest.mark.parametrize('kind', ['n_pairs', 'triplet'])
    def test_lengths(self, kind: str) -> None:
        embs, lengths = embeddings(3, 10, 4), torch.tensor([10, 4, 6])
        loss = TCNLoss(kind)
        found = loss(VideoGroup(embs, lengths))['loss_tcn']
        each = torch.stack([alone(loss, embs, lengths, [video], 'loss_tcn') for video in range(3)])
        weights = lengths / lengths.sum() if kind == 'triplet' else torch.ones(3) / 3
        torch.testing.assert_close(found, (each * weights).sum())

    def test_triplets(self) -> None:
        anchors, positives = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.3], [0.9]])
        rows = torch.stack([anchors, positives], dim=1).flatten(0, 1)[None]
        found = TCNLoss('triplet', margin=0.2)(VideoGroup(rows))['loss_tcn']
        torch.testing.assert_close(found, torch.tensor((max(0, 0.09 - 0.81 + 0.2) + max(0, 0.01 - 0.49 + 0.2)) / 2))
        found = TCNLoss('triplet', margin=1)(VideoGroup(rows))['loss_tcn']
        torch.testing.assert_close(found, torch.tensor((0.28 + 0.52) / 2))
        single = TCNLoss('triplet')(VideoGroup(rows[:, :2].requires_grad_()))['loss_tcn']
        assert single.detach() == 0  # without another positive there is nothing to compare

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='pairs of an anchor and a positive'):
            TCNLoss()(VideoGroup(embeddings(2, 5, 3)))
        with pytest.raises(ValueError, match='kind must be'):
            TCNLoss('other')


class TestOrder:
    @pytest.mark.parametrize('name', [name for name in case_names('tcn_sal') if name.startswith('sal')])
    def test_head(self, name: str) -> None:
        case = load_case('tcn_sal', name)
        embs = case.tensor('embs', torch.float64).requires_grad_()
        head = OrderHead(embs.shape[2], case.params['hidden']).double()
        linears = [module for module in head.modules() if isinstance(module, torch.nn.Linear)]
        for number, layer in enumerate(linears):
            layer.weight.data = case.tensor(f'w{number}', torch.float64).T
            layer.bias.data = case.tensor(f'b{number}', torch.float64)
        order, labels = case.tensor('order'), case.tensor('labels')
        triplets = Triplets(torch.arange(len(order)) % len(embs), order, labels)
        terms = head.loss(VideoGroup(embs), triplets)
        terms['loss_order'].backward()
        logits = head(embs[triplets.videos[:, None], order].flatten(1))
        torch.testing.assert_close(logits.float(), case.tensor('logits'), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(terms['loss_order'].detach().float(), case.tensor('loss'), rtol=1e-5, atol=0)
        allowed = 1e-6 + 1e-4 * float(case.tensor('grad').abs().max())
        torch.testing.assert_close(embs.grad.float(), case.tensor('grad'), rtol=0, atol=allowed)
        assert terms['order_accuracy'] == (case.tensor('logits').argmax(dim=1) == labels).float().mean()

    def test_triplets(self) -> None:
        lengths, forward = torch.tensor([12, 5, 7]), []
        for seed in range(40):
            drawn = draw_triplets(lengths, 50, generator=torch.Generator().manual_seed(seed))
            assert drawn.videos.tolist() == [0, 1, 2] * 50
            assert (drawn.frames < lengths[drawn.videos][:, None]).all() and (drawn.frames >= 0).all()
            first, middle, last = drawn.frames.unbind(dim=1)
            between = (torch.minimum(first, last) < middle) & (middle < torch.maximum(first, last))
            assert torch.equal(between, drawn.shuffled == 0)
            assert 0.6 < drawn.shuffled.float().mean() < 0.9
            assert (first < last).all() or (first > last).all()  # the whole batch is reversed or nothing is
            early = (middle < torch.minimum(first, last))[drawn.shuffled == 1].float().mean()
            assert 0.3 < early < 0.7
            forward.append(bool(first[0] < last[0]))
        assert 10 < sum(forward) < 30

    def test_too_short(self) -> None:
        with pytest.raises(ValueError, match='chosen of 5 frames, video 1 of the group has 4: raise num_steps to 5'):
            OrderHead(3).loss(VideoGroup(embeddings(2, 6, 3).float(), torch.tensor([6, 4])))
        with pytest.raises(ValueError, match='chosen of 5 frames, jump.mp4 has 3: raise num_steps to 5'):
            draw_triplets(torch.tensor([4, 3]), names=['walk.mp4', 'jump.mp4'])


class TestSpeed:
    def test_both_speeds(self) -> None:
        embs = torch.arange(14.0).view(2, 7, 1)
        clips, lengths, labels = two_speeds(VideoGroup(embs, torch.tensor([7, 4])).complete(), torch.tensor([0, 0]))
        assert clips[..., 0].tolist() == [[0, 1, 2], [7, 8, 9], [0, 2, 4], [7, 9, 0]]
        assert lengths.tolist() == [3, 2, 3, 2] and labels.tolist() == [0, 0, 1, 1]

    def test_halves_begin_anywhere(self) -> None:
        embs = torch.arange(7.0).view(1, 7, 1).repeat(2, 1, 1)
        torch.manual_seed(0)
        firsts = {int(two_speeds(VideoGroup(embs).complete())[0][0, 0]) for _ in range(60)}
        assert firsts == {0, 1, 2, 3, 4}

    def test_head(self) -> None:
        embs, lengths = embeddings(2, 6, 4).float(), torch.tensor([6, 3])
        head = SpeedHead(4)
        terms = head.loss(VideoGroup(embs, lengths), torch.tensor([False, True]))
        means = torch.stack([embs[0].mean(dim=0), embs[1, :3].mean(dim=0)])
        expected = F.binary_cross_entropy_with_logits(head.fc(means)[:, 0], torch.tensor([0.0, 1.0]))
        torch.testing.assert_close(terms['loss_speed'], expected)
        assert head.loss(VideoGroup(embs, lengths))['loss_speed'].isfinite()
        with pytest.raises(ValueError, match='one frame has no second speed'):
            head.loss(VideoGroup(embs, torch.tensor([6, 1])))


class TestD3TW:
    @pytest.mark.parametrize('name', case_names('d3tw_star'))
    @pytest.mark.parametrize('function', ['hinge_m0', 'hinge_m1', 'hinge_m30', 'softplus'])
    def test_definition(self, name: str, function: str) -> None:
        case = load_case('d3tw_star', name)
        x, y = (case.tensor(side, torch.float64) for side in 'xy')
        size = max(len(x), len(y))
        embs = torch.stack([F.pad(side, (0, 0, 0, size - len(side))) for side in (x, y)]).requires_grad_()
        kind, _, margin = function.partition('_m')
        settings = dict(gamma=case.params['gamma'], temperature=case.params['gamma_f'], function=kind)
        loss = D3TWStarLoss(**settings, margin=float(margin or 0))
        kept = F.pad(case.tensor('keep'), (0, size - len(y)))[None]
        terms = loss(VideoGroup(embs, torch.tensor([len(x), len(y)])), kept)
        terms['loss_discriminative'].backward()
        for found, expected in (
            (terms['cost_positive'], case.tensor('pos')),
            (terms['cost_negative'], case.tensor('neg')),
            (terms['loss_discriminative'].detach(), case.tensor(function)),
        ):
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
        for side, given in enumerate((x, y)):
            reference = case.tensor(f'{function}_grad_{"xy"[side]}')
            torch.testing.assert_close(embs.grad[side, : len(given)], reference, rtol=0, atol=1e-9)

    def test_kept_frames(self) -> None:
        lengths = torch.tensor([10, 4, 1, 20])
        kept = draw_kept(lengths.repeat(200), 20)
        sizes = kept.view(200, 4, 20).sum(dim=2)
        assert sizes.min(dim=0).values.tolist() == sizes.max(dim=0).values.tolist() == [5, 2, 1, 10]
        assert not kept.view(200, 4, 20)[:, 1, 4:].any()
        changes = kept.view(200, 4, 20)[:, 3].int().diff(dim=1).abs().sum(dim=1)
        assert changes.max() == 2  # one portion is gone
        assert draw_kept(lengths[3:].repeat(200), 20, portions=2).int().diff(dim=1).abs().sum(dim=1).max() == 4

    def test_any_portion_may_be_dropped(self) -> None:
        kept = draw_kept(torch.full((300,), 6), 6)
        assert {tuple(row) for row in (~kept).nonzero()[:, 1].view(300, 3).tolist()} == {
            (first, first + 1, first + 2) for first in range(4)
        }
        few = draw_kept(torch.full((300,), 6), 6, share=0.1)
        assert set(few.sum(dim=1).tolist()) == {5} and not few.all(dim=0).any()  # a portion is one frame at least
        many = draw_kept(torch.full((300,), 6), 6, share=0.1, portions=4).sum(dim=1)
        assert many.min() == 2 and many.max() > 2  # portions may overlap

    def test_padding_is_not_kept(self) -> None:
        embs, lengths = embeddings(2, 7, 5), torch.tensor([6, 4])
        kept = torch.tensor([[True, False, True, True, False, False, False]])
        padded = kept.clone()
        padded[:, 5:] = True
        found, expected = (D3TWStarLoss()(VideoGroup(embs, lengths), own)['cost_negative'] for own in (padded, kept))
        assert found == expected

    def test_lengths(self) -> None:
        embs, lengths = embeddings(3, 9, 5), torch.tensor([6, 9, 4])
        kept = draw_kept(lengths[1:], 9)
        loss = D3TWStarLoss(margin=2)
        found = loss(VideoGroup(embs, lengths), kept)['loss_discriminative']
        each = [
            alone(loss, embs, lengths, [0, other], 'loss_discriminative', kept=kept[other - 1 : other, :longest])
            for other, longest in ((1, 9), (2, 6))
        ]
        torch.testing.assert_close(found, torch.stack(each).mean())
        assert D3TWStarLoss('all', function='softplus')(VideoGroup(embs, lengths))['loss_discriminative'] > 0

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='function must be one of'):
            D3TWStarLoss(function='square')
        with pytest.raises(ValueError, match='function must be one of'):
            discriminative_loss(torch.zeros(1), torch.zeros(1), 'square')
        with pytest.raises(ValueError, match=r'drop_share within \(0, 1\)'):
            D3TWStarLoss(drop_share=1)
        with pytest.raises(ValueError, match='margin not negative'):
            D3TWStarLoss(margin=-0.5)


class TestSoftDTW:
    @pytest.mark.parametrize('name', case_names('soft_dtw'))
    def test_tslearn(self, name: str) -> None:
        case = load_case('soft_dtw', name)
        x, y = case.tensor('x')[None].requires_grad_(), case.tensor('y')[None]
        gamma, lengths = case.params['gamma'], (torch.tensor([x.shape[1]]), torch.tensor([y.shape[1]]))
        value = soft_dtw(x, y, lengths, gamma)
        value.sum().backward()
        torch.testing.assert_close(value.detach()[0], case.tensor('value'), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(x.grad[0], case.tensor('grad_x'), rtol=0, atol=1e-8)
        divergence = soft_dtw_divergence(x, y, lengths, gamma).detach()[0]
        torch.testing.assert_close(divergence, case.tensor('divergence'), rtol=1e-9, atol=1e-8)

    @pytest.mark.parametrize('loss', [SoftDTWLoss(), SoftDTWLoss(divergence=True, per_frame=True), LAVLoss()])
    def test_lengths(self, loss: torch.nn.Module) -> None:
        embs, lengths = embeddings(3, 9, 5), torch.tensor([6, 9, 4])
        terms = loss(VideoGroup(embs, lengths))
        for name, value in terms.items():
            each = [alone(loss, embs, lengths, [0, other], name) for other in (1, 2)]
            torch.testing.assert_close(value, torch.stack(each).mean())

    def test_values_are_per_frame(self) -> None:
        embs, lengths = embeddings(2, 6, 3), torch.tensor([6, 4])
        steps, num_frames = torch.tensor([[0, 3, 20, 31, 44, 60], [1, 2, 30, 90, 0, 0]]), torch.tensor([70, 100])
        found = LAVLoss()(VideoGroup(embs, lengths, steps, num_frames))
        cost = (embs[0, :, None] - embs[1, None, :4]).square().sum(dim=2)
        torch.testing.assert_close(found['loss_soft_dtw'], double_loop(cost, 0.1, 'logsumexp')[-1, -1] / 5)
        valid = torch.arange(6) < lengths[:, None]
        within = contrastive_idm(embs, steps, valid, window=10, margin=2.0, unit=num_frames)
        torch.testing.assert_close(found['loss_idm'], 0.5 * within.sum() / 5)

    def test_contrast_within_a_video(self) -> None:
        embs, steps = embeddings(1, 5, 3), torch.tensor([[0, 4, 10, 20, 99]])
        valid = torch.tensor([[True, True, True, True, False]])
        expected = 0.0
        for i, one in enumerate(steps[0, :4].tolist()):
            for j, other in enumerate(steps[0, :4].tolist()):
                distance, weight = float((embs[0, i] - embs[0, j]).square().sum()), 1 + (one - other) ** 2
                near = abs(one - other) <= 10
                expected += distance / weight if near else weight * max(0, 2 - distance)
        assert float(contrastive_idm(embs, steps, valid)) == pytest.approx(expected)

    def test_contrast_does_not_grow_with_the_video(self) -> None:
        embs, short = embeddings(2, 6, 3), torch.arange(6).expand(2, 6) * 5
        losses = [
            LAVLoss(window=10)(VideoGroup(embs, None, short * k, torch.full((2,), 30 * k)))['loss_idm'] for k in (3, 30)
        ]
        torch.testing.assert_close(*losses)  # the window holds no other frame in either
        raw = LAVLoss(normalize_times=False)(VideoGroup(embs, None, short * 30, torch.full((2,), 900)))['loss_idm']
        assert raw > 1e4 * losses[1]

    @pytest.mark.parametrize('loss', [SoftDTWLoss(), LAVLoss()])
    def test_gradient_by_differences(self, loss: torch.nn.Module) -> None:
        lengths, steps = torch.tensor([4, 3]), torch.arange(4).expand(2, 4) * 9
        embs = embeddings(2, 4, 3).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: sum(loss(VideoGroup(x, lengths, steps)).values()), (embs,))

    def test_what_is_refused(self) -> None:
        for loss in (SoftDTWLoss, LAVLoss):
            with pytest.raises(ValueError, match='gamma .*must be positive'):
                loss(gamma=float('nan'))
            with pytest.raises(ValueError, match='pairs must be one of'):
                loss('some')


class TestCombined:
    HEADS = (
        dict(type='AlignmentHead', loss=dict(type='TCCLoss')),
        dict(type='OrderHead', in_channels=5),
        dict(type='AlignmentHead', loss=dict(type='TCNLoss')),
    )

    def test_sum(self) -> None:
        head = CombinedHead(self.HEADS, (0.33, 0.33, 0.34))
        assert head.interleaved and not AlignmentHead().interleaved
        assert {name.split('.')[0] for name, _ in head.named_parameters()} == {'heads'}
        embs, lengths = embeddings(3, 16, 5).float(), torch.tensor([16, 12, 14])
        torch.manual_seed(0)
        terms = head.loss(VideoGroup(embs, lengths))
        anchors = VideoGroup(embs[:, ::2], lengths // 2)
        torch.testing.assert_close(terms['loss_cycle'], 0.33 * head.heads[0].loss(anchors)['loss_cycle'])
        torch.testing.assert_close(terms['loss_tcn'], 0.34 * TCNLoss()(VideoGroup(embs, lengths))['loss_tcn'])
        torch.manual_seed(0)
        expected = head.heads[1].loss(anchors)
        torch.testing.assert_close(terms['loss_order'], 0.33 * expected['loss_order'])
        torch.testing.assert_close(terms['order_accuracy'], expected['order_accuracy'])

    def test_an_anchor_without_its_positive(self) -> None:
        head = dict(type='AlignmentHead', loss=dict(type='D2TWLoss'))
        embs, lengths = embeddings(2, 7, 5), torch.tensor([7, 3])
        found = CombinedHead([head], [1], interleaved=True).loss(VideoGroup(embs, lengths))['loss_forth']
        expected = AlignmentHead(dict(type='D2TWLoss')).loss(VideoGroup(embs[:, ::2], torch.tensor([4, 2])))
        torch.testing.assert_close(found, expected['loss_forth'])

    def test_equal_names(self) -> None:
        one = dict(type='AlignmentHead', loss=dict(type='GTALoss', revcons=False))
        terms = CombinedHead([one, one], [1, 2]).loss(VideoGroup(embeddings(2, 5, 4)))
        assert set(terms) == {'loss_forth', 'loss_back', 'loss_forth_1', 'loss_back_1'}
        np.testing.assert_allclose(terms['loss_forth_1'], 2 * terms['loss_forth'])

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='3 heads and 2 weights'):
            CombinedHead(self.HEADS, (1, 1))
        with pytest.raises(ValueError, match='interleaved must not be False'):
            CombinedHead(self.HEADS, (1, 1, 1), interleaved=False)
