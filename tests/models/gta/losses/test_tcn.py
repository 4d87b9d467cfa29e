"""TCN: the n-pairs loss of the TCC release and the triplets of the original."""

import pytest
import torch

from mmsigma.models.gta.losses.tcn import TCNLoss
from mmsigma.models.gta.losses.video_group import VideoGroup
from tests.golden_gta import case_names, load_case
from tests.models.gta.groups import alone, embeddings

DTYPES = [torch.float32, torch.float64]


class TestTCN:
    @pytest.mark.parametrize('dtype', DTYPES)
    @pytest.mark.parametrize('name', [name for name in case_names('tcn_sal') if name.startswith('tcn')])
    def test_release(self, name: str, dtype: torch.dtype) -> None:
        case = load_case('tcn_sal', name)
        embs = case.tensor('embs', dtype).requires_grad_()
        value = TCNLoss(reg_lambda=case.params['reg_lambda'])(VideoGroup(embs))['loss_tcn']
        value.backward()
        case.assert_close(value, 'loss', 'loss')
        case.assert_close(embs.grad, 'grad', 'grad')

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

    def test_videos_of_one_anchor_have_no_triplets(self) -> None:
        embs, lengths = embeddings(3, 10, 4), torch.tensor([10, 2, 6])
        found, without = (
            TCNLoss('triplet')(VideoGroup(embs[own], lengths[own]))['loss_tcn'] for own in ([0, 1, 2], [0, 2])
        )
        assert found > 0 and found == without

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='pairs of an anchor and a positive'):
            TCNLoss()(VideoGroup(embeddings(2, 5, 3)))
        with pytest.raises(ValueError, match='kind must be'):
            TCNLoss('other')
