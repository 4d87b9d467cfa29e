"""D3TW*: frames that are kept, and the loss by its definition."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models.gta.losses.d3tw import D3TWStarLoss, discriminative_loss, draw_kept
from mmsigma.models.gta.losses.video_group import VideoGroup
from tests.golden_gta import case_names, load_case
from tests.models.gta.groups import alone, embeddings


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
        for name, key in (('pos', 'cost_positive'), ('neg', 'cost_negative'), (function, 'loss_discriminative')):
            torch.testing.assert_close(terms[key].detach(), case.tensor(name), rtol=1e-9, atol=1e-12)
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
