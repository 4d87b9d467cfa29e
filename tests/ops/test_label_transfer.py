"""Payloads along a path, and the probabilities of paths."""

import numpy as np
import pytest
import torch

from mmsigma.ops.label_transfer import expected_alignment, first_matches, transfer
from mmsigma.ops.soft_dtw import dtw_path

# frames 0, 1, 2, 3 of the first sequence are paired with 0 | 1, 2 | 2 | 3, 4, 5 of the second
FIRST = torch.tensor([0, 1, 1, 2, 3, 3, 3])
SECOND = torch.tensor([0, 1, 2, 2, 3, 4, 5])


def all_paths(rows: int, columns: int) -> list[list[tuple[int, int]]]:
    """Every monotonous path from (0, 0) to the last cell."""
    if (rows, columns) == (1, 1):
        return [[(0, 0)]]
    before = [(rows - 1, columns - 1), (rows - 1, columns), (rows, columns - 1)]
    return [[*path, (rows - 1, columns - 1)] for cell in before if min(cell) > 0 for path in all_paths(*cell)]


def test_matches_on_a_known_path() -> None:
    assert first_matches(FIRST, SECOND).tolist() == [0, 1, 2, 3]
    labels = np.array([7, 7, 8, 9, 9, 6])
    found = transfer(labels, FIRST, SECOND)
    assert found.tolist() == [7, 7, 8, 9] and found.dtype == labels.dtype
    assert transfer(list('abcdef'), FIRST, SECOND) == list('abcd')
    assert transfer(torch.arange(6), FIRST, SECOND).tolist() == [0, 1, 2, 3]


def test_means_over_all_frames_that_match() -> None:
    poses = np.stack([np.arange(6) ** 2, -np.arange(6)], axis=1).reshape(6, 1, 2).astype(np.float32)
    found = transfer(poses, FIRST, SECOND, 'mean')
    assert found.dtype == np.float32 and found.shape == (4, 1, 2)
    np.testing.assert_allclose(found[:, 0], [[0, 0], [2.5, -1.5], [4, -2], [50 / 3, -4]], rtol=1e-6)
    assert transfer(np.arange(6), FIRST, SECOND, 'mean').tolist() == [0, 1.5, 2, 4]
    missing = torch.tensor([0, 1, torch.nan, 3, 4, 5])
    assert transfer(missing, FIRST, SECOND, 'mean').isnan().tolist() == [False, True, True, False]


def test_what_cannot_be_carried() -> None:
    with pytest.raises(ValueError, match='the path goes to frame 5, the payload has 5 entries'):
        transfer(np.zeros(5), FIRST, SECOND)
    with pytest.raises(ValueError, match='means require a tensor or a numeric array'):
        transfer(list('abcdef'), FIRST, SECOND, 'mean')
    with pytest.raises(ValueError, match='means require a tensor or a numeric array'):
        transfer(np.array(list('abcdef')), FIRST, SECOND, 'mean')
    with pytest.raises(ValueError, match="reduce must be one of .*, got 'median'"):
        transfer(np.zeros(6), FIRST, SECOND, 'median')
    for first in ([0, 2, 2, 3, 3, 3, 3], [1, 1, 1, 2, 3, 3, 3], [0, 1, 0, 2, 3, 3, 3], [0, 1]):
        with pytest.raises(ValueError, match='a path takes each frame of the first sequence, in order'):
            first_matches(torch.tensor(first), SECOND)


@pytest.mark.parametrize('shape', [(1, 1), (1, 4), (3, 4), (4, 2)])
def test_expected_alignment_is_the_mean_over_all_paths(shape: tuple[int, int]) -> None:
    cost, gamma = torch.rand(shape, dtype=torch.float64), 0.3
    paths = all_paths(*shape)
    weights = torch.tensor([sum(cost[cell].item() for cell in path) for path in paths]).double().div(-gamma).softmax(0)
    expected = torch.zeros(shape, dtype=torch.float64)
    for weight, path in zip(weights, paths, strict=True):
        for cell in path:
            expected[cell] += weight
    torch.testing.assert_close(expected_alignment(cost[None], gamma)[0], expected, atol=1e-6, rtol=0)


def test_expected_alignment_tends_to_the_path() -> None:
    cost = torch.rand(9, 12, dtype=torch.float64)
    path = dtw_path(cost)
    hard = torch.zeros_like(cost)
    hard[path.first, path.second] = 1
    torch.testing.assert_close(expected_alignment(cost[None], 1e-4)[0], hard, atol=1e-3, rtol=0)


@torch.no_grad()
def test_expected_alignment_of_padded_pairs() -> None:
    cost = torch.rand(2, 6, 5)
    lengths = torch.tensor([6, 4]), torch.tensor([5, 3])
    found = expected_alignment(cost, 0.1, lengths)
    torch.testing.assert_close(found[1, :4, :3], expected_alignment(cost[1:, :4, :3], 0.1)[0])
    assert not found[1, 4:].any() and not found[1, :, 3:].any()
    for corner in (found[0, 0, 0], found[0, 5, 4], found[1, 3, 2]):
        assert float(corner) == pytest.approx(1)
