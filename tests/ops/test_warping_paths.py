"""Paths through costs against plain definitions: all paths one by one, and double loops."""

import functools
import math

import pytest
import torch
from torch import Tensor

from mmsigma.ops.soft_dtw import dtw_path
from mmsigma.ops.warping_paths import (
    PATH_KINDS,
    FramePath,
    PathKind,
    expected_path,
    expected_positions,
    find_path,
    slope_path,
)
from tests.ops.test_label_transfer import all_paths
from tests.simulated_cuda import simulated_cuda, to_device


def noisy(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.rand(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def cells(path: FramePath) -> list[tuple[int, int]]:
    return list(zip(path.first.tolist(), path.second.tolist(), strict=True))


def least_of_bounded_pace(cost: Tensor, max_pace: int) -> float:
    """The sum of the costs on the cheapest path of a square table, by recursion from its last cell."""

    @functools.cache
    def least(i: int, j: int) -> float:
        if i == j == 0:
            return float(cost[0, 0])
        found = math.inf
        for q in range(1, max_pace + 1):
            if i >= 1 and j >= q:
                found = min(found, least(i - 1, j - q) + sum(float(cost[i, j - back]) for back in range(q)))
            if i >= q and j >= 1:
                found = min(found, least(i - q, j - 1) + sum(float(cost[i - back, j]) for back in range(q)))
        return found

    return least(len(cost) - 1, len(cost) - 1)


def mean_positions(cost: Tensor, gamma: float) -> list[float]:
    """The mean over all paths of the frame of the first sequence at each time, half way where a step skips the time."""
    rows, columns = cost.shape
    paths = all_paths(rows, columns)
    weights = torch.tensor([sum(cost[cell].item() for cell in path) for path in paths]).double().div(-gamma).softmax(0)
    means = [0.0] * (rows + columns - 1)
    for weight, path in zip(weights.tolist(), paths, strict=True):
        at = {i + j: i for i, j in path}
        for time in range(len(means)):
            means[time] += weight * (at[time] if time in at else (at[time - 1] + at[time + 1]) / 2)
    return means


@pytest.mark.parametrize('kind', PATH_KINDS)
@pytest.mark.parametrize('shape', [(1, 1), (1, 6), (7, 1), (9, 9), (5, 31), (40, 13), (23, 24)])
def test_paths_pass_through_all_frames_in_order(kind: PathKind, shape: tuple[int, int]) -> None:
    for seed in range(5):
        path = find_path(noisy(*shape, seed=seed), kind, gamma=0.3)
        for frames, length in zip(path, shape, strict=True):
            assert frames[0] == 0 and frames[-1] == length - 1 and frames.dtype == torch.int64
            assert set(frames.diff().tolist()) <= {0, 1}
        assert ((path.first.diff() + path.second.diff()) > 0).all()


@pytest.mark.parametrize('kind', PATH_KINDS)
def test_a_sequence_with_itself_is_the_diagonal(kind: PathKind) -> None:
    frames = torch.randn(17, 4, generator=torch.Generator().manual_seed(3))
    path = find_path(torch.cdist(frames, frames).square(), kind, gamma=2.0)
    assert cells(path) == [(i, i) for i in range(17)]


@pytest.mark.parametrize('kind', PATH_KINDS)
def test_the_other_order_is_the_other_path(kind: PathKind) -> None:
    cost = noisy(14, 19)
    path, turned = find_path(cost, kind, gamma=0.2), find_path(cost.T, kind, gamma=0.2)
    assert cells(path) == [(j, i) for i, j in cells(turned)]


class TestSlope:
    @pytest.mark.parametrize('max_pace', [1, 2, 3])
    @pytest.mark.parametrize('size', [1, 2, 5, 8])
    def test_is_the_cheapest(self, size: int, max_pace: int) -> None:
        for seed in range(6):
            cost = noisy(size, size, seed)
            path = slope_path(cost, max_pace)
            assert float(cost[path].sum()) == pytest.approx(least_of_bounded_pace(cost, max_pace))

    @pytest.mark.parametrize('max_pace', [1, 2, 3])
    def test_pace_is_bounded(self, max_pace: int) -> None:
        """Costs that invite to stay at the first frame of one sequence, and to catch up at the end."""
        frames = torch.arange(30.0)
        cost = (1 + (frames[:, None] - frames) / 30) ** 40
        path = slope_path(cost, max_pace)
        assert [int(side.bincount().max()) for side in path] == [max_pace, max_pace]
        assert abs(path.first - path.second).max() == pytest.approx(30 * (max_pace - 1) / (max_pace + 1), abs=1)
        assert int(dtw_path(cost).second.bincount().max()) == 20  # unlike the cheapest of all

    def test_looser_bounds_are_cheaper(self) -> None:
        for seed in range(5):
            cost = noisy(20, 20, seed)
            sums = [float(cost[slope_path(cost, pace)].sum()) for pace in (1, 2, 3, 20)]
            assert dtw_path(cost).value <= sums[3] <= sums[2] <= sums[1] < sums[0]
            assert sums[0] == pytest.approx(float(cost.diagonal().sum()))

    def test_paces_are_relative_to_the_lengths(self) -> None:
        """A pace of 1 plays both sequences from start to end, however long they are."""
        path = slope_path(noisy(10, 30), 1)
        assert path.first.tolist() == [i // 3 for i in range(30)] and path.second.tolist() == list(range(30))

    def test_what_is_refused(self) -> None:
        with pytest.raises(ValueError, match='max_pace must be at least 1, got 0'):
            slope_path(noisy(3, 3), 0)


class TestExpected:
    @pytest.mark.parametrize('shape', [(1, 1), (1, 4), (3, 4), (5, 5), (6, 2)])
    @pytest.mark.parametrize('gamma', [0.05, 0.4, 5.0])
    def test_is_the_mean_over_all_paths(self, shape: tuple[int, int], gamma: float) -> None:
        cost = noisy(*shape, seed=1)
        expected = torch.tensor(mean_positions(cost, gamma), dtype=torch.float64)
        torch.testing.assert_close(expected_positions(cost, gamma), expected, atol=1e-6, rtol=0)

    @pytest.mark.parametrize('gamma', [1e-2, 1.0, 1e3])
    def test_positions_are_monotonic(self, gamma: float) -> None:
        steps = expected_positions(5 * noisy(80, 200), gamma).diff()
        assert float(steps.min()) >= -1e-9 and float(steps.max()) <= 1 + 1e-9

    def test_tends_to_the_cheapest_path(self) -> None:
        cost = noisy(9, 12)
        assert set(cells(find_path(cost))) <= set(cells(expected_path(cost, 1e-4)))

    def test_tends_to_a_constant_pace(self) -> None:
        """Costs that say nothing leave the diagonal, which the cheapest path through noise is far from."""
        generator = torch.Generator().manual_seed(0)
        cost = torch.rand(60, 90, generator=generator)
        distance = [
            (find.first / 59 - find.second / 89).abs().mean() for find in (dtw_path(cost), expected_path(cost, 10))
        ]
        assert distance[1] < 0.01 < 0.03 < distance[0]

    def test_large_costs(self) -> None:
        cost = 1e4 * noisy(50, 60)
        assert expected_positions(cost, 0.1).isfinite().all()

    @pytest.mark.parametrize('gamma', [0.0, -1.0, math.inf])
    def test_what_is_refused(self, gamma: float) -> None:
        with pytest.raises(ValueError, match='gamma must be positive and finite'):
            expected_path(noisy(3, 3), gamma)


@pytest.mark.parametrize('kind', PATH_KINDS)
def test_what_has_no_path(kind: PathKind) -> None:
    for wrong in (torch.rand(3), torch.rand(0, 4), torch.full((3, 3), torch.nan), torch.full((3, 3), -torch.inf)):
        with pytest.raises(ValueError, match='costs'):
            find_path(wrong, kind)
    with pytest.raises(ValueError, match="path must be one of .*, got 'soft'"):
        find_path(torch.rand(3, 3), 'soft')


def test_infinite_costs_are_for_the_cheapest_path_alone() -> None:
    cost = noisy(4, 4)
    cost[0, 3] = torch.inf
    assert len(find_path(cost).first)
    for kind in ('slope', 'expected'):
        with pytest.raises(ValueError, match='must be finite'):
            find_path(cost, kind)


@pytest.mark.parametrize('kind', PATH_KINDS)
def test_on_a_gpu(kind: PathKind) -> None:
    cost = noisy(12, 16).float().requires_grad_()
    expected = find_path(cost, kind, gamma=0.3)
    with simulated_cuda():
        found = find_path(to_device(cost.detach()), kind, gamma=0.3)
        assert all(side.device.type == 'cpu' for side in found) and cells(found) == cells(expected)
