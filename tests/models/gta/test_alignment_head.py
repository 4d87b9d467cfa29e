"""Heads of alignment: sums of several, and which frames each is given."""

import numpy as np
import pytest
import torch

from mmsigma.models.gta.alignment_head import AlignmentHead, CombinedHead
from mmsigma.models.gta.losses.tcn import TCNLoss
from mmsigma.models.gta.losses.video_group import VideoGroup
from tests.models.gta.groups import embeddings


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
