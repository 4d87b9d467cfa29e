"""Repetition counting's labels, windows and targets against SEVERE's, and by their properties."""

import numpy as np
import pytest
import torch

from mmsigma.ops.repetition import (
    ANCHORS,
    REFERENCE_PADDING,
    anchor_targets,
    cycle_labels,
    fill_missing,
    gather_window,
    labels_at,
    window_indices,
)
from tests.golden_evaluation import load_case


@pytest.mark.parametrize('video', range(6))
def test_labels_equal_the_annotation(video):
    arrays = load_case('repcount_labels').arrays
    bounds = arrays[f'in_bounds_{video}']
    following, previous = cycle_labels(bounds)
    np.testing.assert_array_equal(following, arrays[f'out_next_{video}'])
    np.testing.assert_array_equal(previous, arrays[f'out_pre_{video}'])
    assert len(bounds) - 1 == arrays[f'out_count_{video}']


def test_labels_of_equal_cycles_are_their_length():
    following, previous = cycle_labels([5, 15, 25, 35])
    assert following.tolist() == [10] * 20 + [-1] * 11
    assert previous.tolist() == [-1] * 10 + [10] * 21


def test_labels_read_as_bytes_do_not_overflow():
    wide = cycle_labels(np.array([1, 100, 200, 255]))
    narrow = cycle_labels(np.array([1, 100, 200, 255], np.uint8))
    assert all((a == b).all() for a, b in zip(wide, narrow, strict=True))


def test_cycles_of_very_different_length_do_not_match():
    following, previous = cycle_labels([0, 20, 50])
    assert (following == -1).all() and (previous == -1).all()
    # a ratio of 1.3 and a difference of 2 are still alike
    assert (cycle_labels([0, 10, 23])[0][:10] >= 0).all() and (cycle_labels([0, 10, 24])[0] == -1).all()
    assert (cycle_labels([0, 4, 10])[0][:4] >= 0).all() and (cycle_labels([0, 4, 11])[0] == -1).all()


@pytest.mark.parametrize('bounds', [[3], [3, 3], [5, 4], []])
def test_bad_boundaries_are_refused(bounds):
    with pytest.raises(ValueError, match='increasing frame numbers'):
        cycle_labels(bounds)


def test_windows_equal_the_reference():
    case = load_case('repcount_inputs')
    indices = window_indices(case.tensor('in_states'))
    np.testing.assert_array_equal(indices.numpy(), case.arrays['out_frame_indices'])


def test_frames_outside_are_filled_as_in_the_reference():
    case = load_case('repcount_inputs')
    indices = window_indices(case.tensor('in_states'))
    for number, length in enumerate(case.arrays['in_lengths'].tolist()):
        video = torch.arange(float(length)).view(1, -1, 1, 1).expand(3, -1, 1, 1)
        windows, exists = gather_window(video, indices[number : number + 1])
        filled = fill_missing(windows, exists, REFERENCE_PADDING)
        np.testing.assert_array_equal(filled[0, 0, :, 0, 0].numpy(), case.arrays['out_channel0'][number])
        inside = exists[0]
        assert (filled[0, 2, ~inside] == torch.tensor(0.406)).all()
        neutral = fill_missing(windows, exists)
        assert (neutral[0, :, ~inside] == 0).all() and torch.equal(neutral[0, :, inside], filled[0, :, inside])


def test_gathering_keeps_type_and_order():
    video = torch.randint(0, 256, (3, 7, 2, 4), dtype=torch.uint8)
    windows, exists = gather_window(video, torch.tensor([[2, 0, 6], [-1, 3, 7]]))
    assert windows.dtype == torch.uint8 and windows.shape == (2, 3, 3, 2, 4)
    assert torch.equal(windows[0], video[:, [2, 0, 6]]) and torch.equal(windows[1], video[:, [0, 3, 6]])
    assert exists.tolist() == [[True] * 3, [False, True, False]]


def test_targets_equal_the_reference():
    case = load_case('repcount_targets_loss')
    labels = labels_at(case.tensor('in_label'), case.tensor('in_position'), case.tensor('in_length'))
    classes, scales = anchor_targets(labels, case.tensor('in_segment'), case.arrays['in_anchors'].tolist())
    np.testing.assert_array_equal(classes.numpy(), case.arrays['out_cls'])
    np.testing.assert_allclose(scales.numpy(), case.arrays['out_box'], atol=case.tolerance['box'])
    assert tuple(case.arrays['in_anchors']) == ANCHORS


def test_scaling_the_segment_by_anchor_and_box_gives_the_cycle():
    segments = torch.tensor([10, 31, 57])
    labels = torch.tensor([13, 20, 101])
    classes, scales = anchor_targets(labels, segments)
    cycles = segments[:, None] * torch.tensor(ANCHORS) * scales.exp()
    positive = classes == 1
    assert positive.any(dim=1).all()
    expected = (labels + 1.0)[:, None].expand_as(cycles)
    torch.testing.assert_close(cycles[positive].float(), expected[positive])


def test_positions_outside_have_no_label():
    labels = torch.arange(6).repeat(4, 1)
    assert labels_at(labels, torch.tensor([-1, 0, 5, 6])).tolist() == [-1, 0, 5, -1]
    assert labels_at(labels, torch.tensor([2, 3, 4, 5]), torch.tensor([3, 3, 4, 6])).tolist() == [2, -1, -1, 5]
