"""D3TW: the order of labels against the double loop of its definition, wrong orders, and what is learnt from them."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.models.gta.alignment_head import CombinedHead
from mmsigma.models.gta.losses.d3tw import draw_negatives, transcript_cost
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.gta.transcript_head import TranscriptHead
from tests.ops.test_soft_dtw import double_loop

LENGTHS = torch.tensor([6, 5, 3])
TRANSCRIPTS = [torch.tensor(labels) for labels in ([0, 1, 2], [3, 1, 3, 0], [2])]
NEGATIVES = [torch.tensor(labels) for labels in ([2, 0, 1], [1, 3], [0])]


def embeddings(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_definition(log_probs: Tensor, labels: Tensor, gamma: float) -> Tensor:
    return double_loop(-log_probs[:, labels], gamma, 'logsumexp')[-1, -1]


class TestLoss:
    @pytest.mark.parametrize(('function', 'margin'), [('hinge', 1.0), ('hinge', 30.0), ('softplus', 1.0)])
    def test_definition(self, function: str, margin: float) -> None:
        head = TranscriptHead(4, 5, gamma=0.5, function=function, margin=margin).double()
        embs = embeddings(3, 6, 5).requires_grad_()
        terms = head.loss(VideoGroup(embs, LENGTHS, transcripts=TRANSCRIPTS), NEGATIVES)
        costs = []
        for video, length in enumerate(LENGTHS.tolist()):
            logs = F.linear(embs[video, :length], head.fc.weight, head.fc.bias).log_softmax(dim=1)
            costs.append([by_definition(logs, kind[video], 0.5) for kind in (TRANSCRIPTS, NEGATIVES)])
        gaps = torch.stack([right - wrong for right, wrong in costs])
        expected = (gaps.exp() + 1).log().mean() if function == 'softplus' else (gaps + margin).clamp(min=0).mean()
        torch.testing.assert_close(terms['loss_transcript'], expected)
        for number, name in enumerate(('cost_positive', 'cost_negative')):
            torch.testing.assert_close(terms[name], torch.stack([pair[number] for pair in costs]).mean().detach())
        assert terms['transcript_accuracy'] == float((gaps < 0).double().mean())
        given = (embs, *head.parameters())
        for found, reference in zip(
            torch.autograd.grad(terms['loss_transcript'], given), torch.autograd.grad(expected, given), strict=True
        ):
            torch.testing.assert_close(found, reference)
            assert found.any()

    def test_padding_has_no_influence(self) -> None:
        logs = embeddings(3, 6, 4).log_softmax(dim=2)
        found = transcript_cost(logs, TRANSCRIPTS, LENGTHS)
        alone = [
            transcript_cost(logs[video : video + 1, :length], TRANSCRIPTS[video : video + 1], LENGTHS[video, None])
            for video, length in enumerate(LENGTHS.tolist())
        ]
        torch.testing.assert_close(found, torch.cat(alone))

    def test_draws_are_those_of_the_seed(self) -> None:
        head, given = TranscriptHead(4, 5), VideoGroup(embeddings(3, 6, 5).float(), LENGTHS, transcripts=TRANSCRIPTS)
        torch.manual_seed(3)
        drawn = [head.loss(given)['loss_transcript'] for _ in range(8)]
        assert torch.stack(drawn).unique().numel() > 1
        torch.manual_seed(3)
        wrong = draw_negatives(TRANSCRIPTS, 4)
        assert head.loss(given, wrong)['loss_transcript'] == drawn[0]

    def test_equal_costs_are_no_success(self) -> None:
        given = VideoGroup(embeddings(3, 6, 5).float(), LENGTHS, transcripts=TRANSCRIPTS)
        assert TranscriptHead(4, 5).loss(given, TRANSCRIPTS)['transcript_accuracy'] == 0

    def test_a_label_for_every_frame(self) -> None:
        given = VideoGroup(embeddings(1, 3, 5).float(), transcripts=[torch.tensor([0, 1, 2])])
        assert TranscriptHead(3, 5).loss(given)['loss_transcript'].isfinite()

    def test_frames_may_have_several_labels_and_pay_for_each(self) -> None:
        logs = torch.tensor([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]], dtype=torch.float64).log()
        found = transcript_cost(logs, [torch.tensor([0, 1, 2])], torch.tensor([2]), gamma=1e-6)
        torch.testing.assert_close(found, -torch.tensor([0.5 * 0.25 * 0.8], dtype=torch.float64).log())

    def test_negatives_are_those_asked_for(self) -> None:
        given = VideoGroup(embeddings(3, 6, 5).float(), LENGTHS, transcripts=TRANSCRIPTS)
        for kind in ('shuffled', 'random'):
            head = TranscriptHead(4, 5, negatives=kind)
            torch.manual_seed(1)
            found = head.loss(given)['cost_negative']
            torch.manual_seed(1)
            assert found == head.loss(given, draw_negatives(TRANSCRIPTS, 4, kind))['cost_negative']

    def test_beside_another_head(self) -> None:
        heads = [dict(type='AlignmentHead'), dict(type='TranscriptHead', num_labels=4, in_channels=5)]
        combined = CombinedHead(heads, (1.0, 0.5), interleaved=True)
        given = VideoGroup(embeddings(3, 12, 5).float(), 2 * LENGTHS, transcripts=TRANSCRIPTS)
        torch.manual_seed(0)
        terms = combined.loss(given)
        torch.manual_seed(0)
        anchors = VideoGroup(given.embeddings[:, ::2], LENGTHS, transcripts=TRANSCRIPTS)
        expected = combined.heads[1].loss(anchors)['loss_transcript']
        torch.testing.assert_close(terms['loss_transcript'], 0.5 * expected)
        assert 'loss_cycle' in terms

    def test_what_is_refused(self) -> None:
        for wrong in (dict(negatives='other'), dict(function='square')):
            with pytest.raises(ValueError, match='negatives must be one of .* and function one of'):
                TranscriptHead(4, **wrong)
        for wrong in (dict(num_labels=1), dict(num_labels=2, gamma=0), dict(num_labels=2, margin=-1)):
            with pytest.raises(ValueError, match='two labels or more, gamma be positive and margin not negative, got'):
                TranscriptHead(**wrong)
        head, embs = TranscriptHead(3, 5), embeddings(2, 4, 5).float()
        for labels, message in (
            (None, 'b.mp4 has no transcript.*: give the training dataset phases'),
            ([], 'b.mp4 has no transcript'),
            ([0, 1, 2, 1, 0], 'b.mp4 has 5 labels in its transcript and 4 frames: raise num_steps to 5 or more'),
            ([2, 3], 'b.mp4 has labels from 2 to 3 in its transcript: raise num_labels, which is 3'),
            ([-1, 2], 'b.mp4 has labels from -1 to 2 in its transcript'),
        ):
            own = labels if labels is None else torch.tensor(labels)
            with pytest.raises(ValueError, match=message):
                head.loss(VideoGroup(embs, names=['a.mp4', 'b.mp4'], transcripts=[torch.tensor([0, 1]), own]))
        with pytest.raises(ValueError, match='video 0 of the group has no transcript'):
            head.loss(VideoGroup(embs))


class TestNegatives:
    def test_other_orders_are_equally_likely(self) -> None:
        drawn = draw_negatives([torch.tensor([4, 0, 7])] * 1000, 9, generator=torch.Generator().manual_seed(0))
        counts = Counter(tuple(labels.tolist()) for labels in drawn)
        assert set(counts) == {(4, 7, 0), (0, 4, 7), (0, 7, 4), (7, 0, 4), (7, 4, 0)}
        assert max(counts.values()) < 250 and min(counts.values()) > 150

    def test_any_labels(self) -> None:
        drawn = draw_negatives([torch.tensor([1, 0])] * 1000, 3, 'random')
        assert {tuple(labels.tolist()) for labels in drawn} == {(a, b) for a in range(3) for b in range(3)} - {(1, 0)}

    @pytest.mark.parametrize('labels', [[1], [1, 1]])
    def test_a_single_label_becomes_another(self, labels: list[int]) -> None:
        drawn = draw_negatives([torch.tensor(labels)] * 100, 3)
        assert all(wrong.tolist() != labels and len(wrong) == len(labels) for wrong in drawn)
        assert torch.cat(drawn).unique().tolist() == ([0, 2] if len(labels) == 1 else [0, 1, 2])

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='negatives must be one of .*, of two labels or more'):
            draw_negatives(TRANSCRIPTS, 4, 'other')
        with pytest.raises(ValueError, match="got 'random' of 1"):
            draw_negatives(TRANSCRIPTS, 1, 'random')


@pytest.mark.parametrize('negatives', ['shuffled', 'random'])
def test_frames_are_classified_by_the_order_alone(negatives: str) -> None:
    """Three phases of random lengths, which nothing but their order names."""
    generator = torch.Generator().manual_seed(0)
    borders = torch.randint(3, 9, (32, 2), generator=generator)
    times = torch.arange(20)
    phases = (times >= borders[:, :1]).long() + (times >= borders.sum(dim=1, keepdim=True))
    frames = torch.eye(6)[phases] + 0.3 * torch.randn(32, 20, 6, generator=generator)
    head = TranscriptHead(3, 6, negatives=negatives)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.03)
    before = (head(frames).argmax(dim=2) == phases).float().mean()
    for _ in range(80):
        batch = torch.randint(32, (8,))
        terms = head.loss(VideoGroup(frames[batch], transcripts=[torch.arange(3)] * 8))
        optimizer.zero_grad()
        terms['loss_transcript'].backward()
        optimizer.step()
    after = (head(frames).argmax(dim=2) == phases).float().mean()
    assert after > 0.85 > 0.65 > before
