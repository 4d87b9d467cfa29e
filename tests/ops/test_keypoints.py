"""Key-points as maps and back: parity with CRW."""

import pytest
import torch

from mmsigma.ops.keypoints import gaussian_labels, weighted_points
from tests.golden_mask_vos import load_vectors


def test_maps_are_those_of_the_original() -> None:
    vectors = load_vectors('keypoints')
    maps = gaussian_labels(vectors.tensor('in_points_xy'), vectors.arrays['out_label_maps'].shape[1:])
    vectors.assert_close(maps.movedim(-1, 0), 'out_label_maps')


def test_points_are_those_of_the_original() -> None:
    vectors = load_vectors('keypoints')
    points = weighted_points(vectors.tensor('in_heatmap')[..., 1:])  # the first is the background
    vectors.assert_close(points.T, 'out_coords')


def test_there_and_back() -> None:
    points = torch.tensor([[12.0, 9.0], [14.3, 8.8], [20.0, 20.0]])
    maps = gaussian_labels(points, (24, 30))
    assert maps.shape == (24, 30, 3) and maps.amax(dim=(0, 1)).tolist() == [1, 1, 1]
    torch.testing.assert_close(weighted_points(maps, k=1), points.round())


def test_what_is_outside_is_not_drawn() -> None:
    points = torch.tensor([[-4.0, 3.0], [3.0, 40.0], [torch.nan, 3.0], [torch.inf, 3.0]])
    maps = gaussian_labels(points, (8, 9))
    assert not maps.any()
    assert weighted_points(maps).tolist() == [[-1, -1]] * 4


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r'points must have the shape \(N, 2\), got \(3,\)'):
        gaussian_labels(torch.zeros(3), (4, 4))
    with pytest.raises(ValueError, match='cannot take the 3 largest of 1 x 2 cells'):
        weighted_points(torch.zeros(1, 2, 1))
