"""SpeedNet: both speeds of a video, and the head that tells them apart."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.gta.order_head import SpeedHead, two_speeds
from tests.models.gta.groups import embeddings


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
