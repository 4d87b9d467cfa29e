"""Costs of frames against plain double loops, and the choice of cost and path."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmsigma.evaluation.alignment.frame_cost import ALIGNMENT_COSTS, GAMMAS, Cost, PathChoice, frame_cost
from mmsigma.ops.warping_paths import PATH_KINDS, PathKind, expected_path, find_path, slope_path


def videos() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(5, 3, generator=generator), torch.randn(7, 3, generator=generator)


class TestCost:
    def test_contrastive_is_the_mean_of_both_directions(self) -> None:
        first, second = (F.normalize(video.double(), dim=1).tolist() for video in videos())
        alike = [[math.exp(sum(a * b for a, b in zip(x, y, strict=True)) / 0.2) for y in second] for x in first]
        for i, j in ((0, 0), (4, 1), (2, 6)):
            forth = -math.log(alike[i][j] / sum(alike[k][j] for k in range(5)))
            back = -math.log(alike[i][j] / sum(alike[i][k] for k in range(7)))
            found = frame_cost(*videos(), 'contrastive', 0.2)[i, j]
            assert float(found) == pytest.approx((forth + back) / 2)

    def test_distances(self) -> None:
        first, second = (video.double() for video in videos())
        plain = (first[:, None] - second).square().sum(dim=2)
        torch.testing.assert_close(frame_cost(first, second), plain)
        cosine = 1 - torch.nn.functional.cosine_similarity(first[:, None], second, dim=2)
        torch.testing.assert_close(frame_cost(first, second, 'cosine'), cosine)

    @pytest.mark.parametrize('cost', ALIGNMENT_COSTS)
    def test_is_symmetric_and_not_negative(self, cost: Cost) -> None:
        first, second = videos()
        found = frame_cost(first, second, cost)
        assert found.dtype == torch.float64 and found.shape == (5, 7) and (found >= 0).all()
        torch.testing.assert_close(frame_cost(second, first, cost), found.T)
        if cost != 'sqeuclidean':  # of directions
            torch.testing.assert_close(frame_cost(3 * first, second, cost), found)

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match="cost must be one of .*, got 'l1'"):
            frame_cost(*videos(), 'l1')
        with pytest.raises(ValueError, match='temperature must be positive'):
            frame_cost(*videos(), 'contrastive', 0)


class TestChoice:
    @pytest.mark.parametrize('cost', ALIGNMENT_COSTS)
    @pytest.mark.parametrize('path', PATH_KINDS)
    def test_every_combination(self, cost: Cost, path: PathKind) -> None:
        costs, found = PathChoice(cost, path).align(*videos())
        torch.testing.assert_close(costs, frame_cost(*videos(), cost))
        expected = find_path(costs, path, gamma=GAMMAS[cost])
        assert all(torch.equal(*sides) for sides in zip(found, expected, strict=True))

    def test_arguments_arrive(self) -> None:
        frames = videos()
        costs, found = PathChoice('contrastive', 'expected', temperature=0.5, gamma=0.02).align(*frames)
        torch.testing.assert_close(costs, frame_cost(*frames, 'contrastive', 0.5))
        assert torch.equal(found.first, expected_path(costs, 0.02).first)
        costs, found = PathChoice('cosine', 'slope', max_pace=1).align(*frames)
        assert torch.equal(found.first, slope_path(costs, 1).first)

    def test_what_is_refused(self) -> None:
        for wrong in (dict(cost='l1'), dict(path='soft')):
            with pytest.raises(ValueError, match='cost must be one of .* and path one of'):
                PathChoice(**wrong).check()
        for wrong in (dict(temperature=0), dict(gamma=0.0), dict(gamma=math.nan), dict(max_pace=0)):
            with pytest.raises(ValueError, match='temperature and gamma must be positive and max_pace at least 1'):
                PathChoice(**wrong).check()
