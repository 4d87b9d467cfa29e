"""Pictures of prototypes and of features."""

import numpy as np
import pytest
import torch

from mmsigma.visualization.prototypes import choose_prototypes, draw_prototypes_of, draw_tubes, pca_colours

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
