"""The coarse-to-fine counting against SEVERE's with its linear stub network, and with an ideal network."""

import numpy as np
import pytest
import torch

from mmsigma.models.counting.coarse_to_fine import CoarseToFineCounter
from mmsigma.models.counting.counting_head import CountingHead, CycleScores
from mmsigma.ops.repetition import ANCHORS, REFERENCE_PADDING, fill_missing, gather_window, window_indices
from tests.golden_evaluation import load_case


def linear_stub(case, number: int):
    """The golden vectors' network: linear maps of the mean colours of 32 frames."""
    length = int(case.arrays['in_lengths'][number])
    video = case.tensor('in_signal')[number, :, :length, None, None]

    def maps(kind: str, side: int, features: torch.Tensor) -> torch.Tensor:
        return features @ case.tensor(f'in_W_{kind}{side}').T + case.tensor(f'in_b_{kind}{side}')

    def network(states: torch.Tensor) -> CycleScores:
        frames = fill_missing(*gather_window(video, window_indices(states)), REFERENCE_PADDING)
        x = frames.mean(dim=(3, 4)).flatten(1)
        out = [maps(kind, side, x) for side in (1, 2) for kind in ('cls', 'box')]
        return CycleScores(out[0].view(-1, 2, 7), out[1], out[2].view(-1, 2, 7), out[3])

    return network, length


@pytest.fixture
def counter() -> CoarseToFineCounter:
    return CoarseToFineCounter(CountingHead(in_channels=1))


@pytest.mark.parametrize('number', range(10))
def test_counts_equal_the_reference(counter, number):
    case = load_case('repcount_inference')
    assert case.arrays['out_stable'][number]
    assert counter.count(*linear_stub(case, number)) == case.arrays['out_counts'][number]


def ideal(cycle: int):
    """Knows that all cycles have one length, and picks the anchor that comes closest to it."""

    def network(states: torch.Tensor) -> CycleScores:
        left, middle, right = states.double().unbind(dim=1)
        out = []
        for segment in (middle - left + 1, right - middle):
            box = (cycle / (segment[:, None] * torch.tensor(ANCHORS))).log()
            out += [torch.stack([box.abs(), -box.abs()], dim=1), box]
        return CycleScores(*out)

    return network


@pytest.mark.parametrize(('cycle', 'repetitions'), [(10, 8), (25, 4), (7, 20), (31, 10)])
def test_an_ideal_network_counts_right(counter, cycle, repetitions):
    assert counter.count(ideal(cycle), cycle * repetitions) == repetitions


def test_windows_come_in_few_batches(counter):
    batches = []

    def network(states: torch.Tensor) -> CycleScores:
        batches.append(len(states))
        return ideal(12)(states)

    counter.count(network, 120)
    assert batches == [30, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 8, 16]


def test_halves_of_nodes_reach_different_copies():
    ends, new = torch.zeros(2, 2, 8), torch.ones(2, 8)
    CoarseToFineCounter._hand_on(ends, new, level=3, step=2)
    # copy A is written by right halves, copy B by left ones, and both where there is no neighbour
    assert ends[0, 0].tolist() == [1, 1, 1, 1, 0, 0, 1, 1] and ends[1, 0].tolist() == [1, 1, 0, 0, 1, 1, 1, 1]
    CoarseToFineCounter._hand_on(ends, 2 * new, level=4, step=1)
    assert (ends == 2).all()


@pytest.mark.parametrize('length', [1, 5, 9, 33])
def test_very_short_videos_are_counted(counter, length):
    assert counter.count(ideal(8), length) >= 0


def test_metrics_of_the_reference_counts(counter):
    case = load_case('repcount_inference')
    pred = np.array([counter.count(*linear_stub(case, number)) for number in range(3)])
    error = np.abs(pred - case.arrays['in_counts'][:3]) / case.arrays['in_counts'][:3]
    np.testing.assert_allclose(error, case.arrays['out_error'][:3], atol=case.tolerance['metrics'])
    near = np.abs(pred - case.arrays['in_counts'][:3]) <= 1
    np.testing.assert_array_equal(near, case.arrays['out_off_by_one'][:3])
