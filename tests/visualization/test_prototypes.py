"""Pictures of prototypes and of features."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.visualization.fed_samples import FedSample
from mmsigma.visualization.masked_video import tube_map
from mmsigma.visualization.prototypes import (
    choose_prototypes,
    draw_prototypes_of,
    draw_tubes,
    informative_prototypes,
    pca_colours,
    prototype_rows,
)

GRID = (2, 3, 4)


def test_those_that_stand_out_are_chosen() -> None:
    scores = torch.zeros(24, 5)
    scores[:6, 1] = 0.9  # the first six tubes
    scores[:6, 2] = 0.8  # the same ones, less so
    scores[10:16, 3] = 0.5
    scores[:, 4] = 1.0  # like everything
    assert choose_prototypes(scores, 2, top=6) == [1, 3]
    assert choose_prototypes(scores, 1, top=6) == [1]
    assert set(choose_prototypes(scores, 9, top=6, max_overlap=1.0)) == set(range(5))
    with pytest.raises(ValueError, match='number of prototypes must be positive, got 0'):
        choose_prototypes(scores, 0)


def test_tubes_are_lit_and_outlined() -> None:
    frames = np.full((4, 24, 32, 3), 200, np.uint8)
    drawn = draw_tubes(frames, torch.tensor([12 + 1 * 4 + 2]), GRID, colour=(255, 0, 0))
    assert (drawn[:2] == 50).all()
    lit = drawn[2:, 8:16, 16:24]
    assert (lit[:, 1:-1, 1:-1] == 200).all()
    assert (lit[:, 0] == (255, 0, 0)).all() and (lit[:, :, -1] == (255, 0, 0)).all()
    outside = np.ones((24, 32), bool)
    outside[8:16, 16:24] = False
    assert (drawn[2:, outside] == 50).all()


def test_the_most_similar_tubes_of_each() -> None:
    scores = torch.zeros(24, 3)
    scores[[0, 5], 2] = 1
    scores[[7, 8], 0] = 1
    frames = np.full((4, 24, 32, 3), 200, np.uint8)
    drawn = draw_prototypes_of(frames, scores, GRID, [2, 0], top=2)
    assert list(drawn) == [2, 0]
    for prototype, tubes in ((2, [0, 5]), (0, [7, 8])):
        cells = (drawn[prototype][0, 4::8, 4::8, 0] == 200).nonzero()
        assert (cells[0] * 4 + cells[1]).tolist() == tubes


def test_features_as_colours() -> None:
    features = torch.zeros(24, 7)
    features[:12, 3], features[::2, 5] = 5, 3
    pictures = pca_colours(features, GRID, (24, 32))
    assert pictures.shape == (2, 24, 32, 3) and pictures.dtype == np.uint8
    cells = pictures[:, 4::8, 4::8].reshape(24, 3).astype(int)
    kinds = [cells[:12:2], cells[1:12:2], cells[12::2], cells[13::2]]
    assert all(np.ptp(kind, axis=0).max() < 60 for kind in kinds)  # the enlargement is smooth
    means = np.stack([kind.mean(axis=0) for kind in kinds])
    assert min(np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]) > 100


def test_prototypes_whose_use_differs_between_clips_come_first() -> None:
    # 0 is used by both alike, 1 by the second clip alone, 2 by the first alone but less, 3 by none
    labels = torch.tensor([[0, 0, 2, 2, 4, 4, 4, 4], [0, 0, 1, 1, 1, 1, 1, 4]])
    assert informative_prototypes(labels, 5, 9) == [1, 4, 2, 0]
    assert informative_prototypes(labels, 5, 2) == [1, 4]


def test_tubes_of_a_prototype_are_lit_in_the_clip_with_most() -> None:
    generator = torch.Generator().manual_seed(0)
    videos = [torch.randint(256, (3, 4, 16, 24), dtype=torch.uint8, generator=generator) for _ in range(2)]
    infos = (dict(filename='a/one.mp4', frame_inds=np.array([2, 4, 6, 8]), avg_fps=4.0), dict(filename='a/two.mp4'))
    samples = [
        FedSample(dict(inputs=video, data_samples=BaseDataElement(metainfo=info)))
        for video, info in zip(videos, infos, strict=True)
    ]
    scores = torch.zeros(2, 12, 2)
    scores[0, :4, 1] = scores[1, :8, 1] = 1  # as many of each, as Sinkhorn wants
    scores[0, 4:, 0] = scores[1, 8:, 0] = 1
    rows = {row.title: row for row in prototype_rows(samples, scores, (2, 2, 3), 4, columns=3)}
    lit = {
        'prototype 0: 8 of 12 tubes, one.mp4': (videos[0], torch.arange(12) >= 4),
        'prototype 1: 8 of 12 tubes, two.mp4': (videos[1], torch.arange(12) < 8),
    }
    assert rows.keys() == lit.keys()
    for title, (video, tubes) in lit.items():
        inside = tube_map(tubes.byte(), (2, 2, 3), (16, 24)).astype(bool)
        for image, time in zip(rows[title].images, (0, 2, 3), strict=True):
            frame = video[:, time].permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(image, np.where(inside[time // 2][..., None], frame, frame // 5))
    assert rows['prototype 0: 8 of 12 tubes, one.mp4'].captions == ['2 · 0.50 s', '6 · 1.50 s', '8 · 2.00 s']
    assert rows['prototype 1: 8 of 12 tubes, two.mp4'].captions == ['frame 0', 'frame 2', 'frame 3']
