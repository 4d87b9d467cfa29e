"""What the sampling of steps gives is what heads take, and nothing else."""

import numpy as np
import pytest
import torch

from mmsigma.datasets.transforms import SampleAlignmentSteps
from mmsigma.models.gta.alignment_head import AlignmentHead, CombinedHead
from mmsigma.models.gta.losses.video_group import VideoGroup
from mmsigma.models.gta.order_head import OrderHead, SpeedHead
from mmsigma.models.gta.transcript_head import TranscriptHead

TOTALS = (1, 3, 8, 9, 14, 60)
SAMPLINGS = dict(
    random={},
    stride=dict(sampling='stride'),
    strided=dict(sampling='stride', stride=3),
    positives=dict(positives=5),
    strided_positives=dict(sampling='stride', positives=5),
)
TCN = dict(type='AlignmentHead', loss=dict(type='TCNLoss'))


def sampled(kind: str, totals: tuple[int, ...] = TOTALS) -> VideoGroup:
    np.random.seed(0)
    sampling = SampleAlignmentSteps(num_steps=8, **SAMPLINGS[kind])
    steps = torch.as_tensor(np.stack([sampling(dict(total_frames=total))['steps'] for total in totals]))
    embeddings = torch.randn(*steps.shape, 4, generator=torch.Generator().manual_seed(0))
    names = [f'of {total}' for total in totals]
    labels = [torch.tensor([0, 1])] * len(totals)
    return VideoGroup(embeddings, None, steps, torch.tensor(totals), names, labels)


@pytest.mark.parametrize('kind', SAMPLINGS)
def test_heads(kind: str) -> None:
    videos, positives = sampled(kind, TOTALS[1:]), 'positives' in kind
    ordered = [
        AlignmentHead(),
        OrderHead(4),
        TranscriptHead(2, 4),
        CombinedHead([dict(type='OrderHead', in_channels=4)], [1]),
    ]
    interleaved = [
        AlignmentHead(dict(type='TCNLoss')),
        CombinedHead([TCN, dict(type='OrderHead', in_channels=4)], [1, 1]),
        CombinedHead([dict(type='OrderHead', in_channels=4)], [1], interleaved=True),
    ]
    for head in interleaved if positives else ordered:
        assert all(value.isfinite() for value in head.loss(videos).values())
    for head in ordered if positives else interleaved:
        with pytest.raises(ValueError, match='^of 3: .*set sampling.positives=0' if positives else '^of 3: .*needs'):
            head.loss(videos)


@pytest.mark.parametrize('kind', ['random', 'positives', 'strided_positives'])
def test_speed_needs_equal_distances(kind: str) -> None:
    with pytest.raises(ValueError, match="^of .* not at equal distances.* set sampling.sampling='stride'"):
        SpeedHead(4).loss(sampled(kind, (14, 60)))


def test_a_last_frame_that_is_repeated_counts_once() -> None:
    assert sampled('stride').equally_spaced().tolist() == [1, 3, 8, 8, 8, 8]
    strided = sampled('strided')
    assert strided.steps[:4].tolist() == [
        [0] * 8,
        [0] + [2] * 7,
        [0, 3, 6] + [7] * 5,
        [0, 3, 6] + [8] * 5,
    ]
    assert strided.equally_spaced().tolist() == [1, 2, 3, 3, 5, 8]
    with pytest.raises(ValueError, match='of 1: one frame has no second speed'):
        SpeedHead(4).loss(sampled('stride'))
    head, videos = SpeedHead(4), sampled('stride', (3, 60))
    sped_up = torch.tensor([True, False])
    expected = head.loss(VideoGroup(videos.embeddings, torch.tensor([3, 8])), sped_up)
    assert head.loss(videos, sped_up)['loss_speed'] == expected['loss_speed']
