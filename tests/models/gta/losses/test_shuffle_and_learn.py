"""Shuffle and Learn: triplets, features, the head of the release."""

import pytest
import torch

from mmsigma.models.gta.losses.shuffle_and_learn import Triplets, draw_triplets
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.gta.order_head import OrderHead
from tests.golden_gta import case_names, load_case
from tests.models.gta.groups import embeddings


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
        case.assert_close(terms['loss_order'], 'loss', 'loss')
        case.assert_close(embs.grad, 'grad', 'grad')
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
