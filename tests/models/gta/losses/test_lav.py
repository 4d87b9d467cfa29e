"""Soft-DTW against tslearn, and LAV."""

import pytest
import torch

from mmsigma.models.gta.losses.lav import (
    LAVLoss,
    SoftDTWLoss,
    contrastive_idm,
    soft_dtw,
    soft_dtw_divergence,
)
from mmsigma.models.gta.losses.video_group import VideoGroup
from tests.golden_gta import case_names, load_case
from tests.models.gta.groups import alone, embeddings
from tests.ops.test_soft_dtw import double_loop


class TestSoftDTW:
    @pytest.mark.parametrize('name', case_names('soft_dtw'))
    def test_tslearn(self, name: str) -> None:
        case = load_case('soft_dtw', name)
        x, y = case.tensor('x')[None].requires_grad_(), case.tensor('y')[None]
        gamma, lengths = case.params['gamma'], (torch.tensor([x.shape[1]]), torch.tensor([y.shape[1]]))
        value = soft_dtw(x, y, lengths, gamma)
        value.sum().backward()
        case.assert_close(value[0], 'value', 'value')
        case.assert_close(x.grad[0], 'grad_x', 'grad')
        divergence = soft_dtw_divergence(x, y, lengths, gamma)[0]
        # of values that nearly cancel, whose tolerance it has
        case.assert_close(divergence, 'divergence', 'value', atol=1e-9 * abs(float(value)))

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
