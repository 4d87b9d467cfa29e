"""The walk of states along a video."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmsigma.models.counting.state_walk import StateWalk, segment_lengths
from mmsigma.ops.repetition import cycle_labels


def batch(lengths: tuple[int, ...] = (40, 61), cycle: int = 10) -> dict:
    videos, samples = [], []
    for length in lengths:
        following, previous = cycle_labels([*range(0, length, cycle)])
        sample = ActionDataSample()
        for name, labels in (('previous_labels', previous), ('next_labels', following)):
            padded = torch.full((length,), -1)
            padded[: len(labels)] = torch.from_numpy(labels)
            sample.set_field(padded, name)
        samples.append(sample)
        videos.append(torch.randint(0, 256, (3, length, 16, 16), dtype=torch.uint8))
    return {'inputs': videos, 'data_samples': samples}


def labels_of(data: dict) -> tuple[torch.Tensor, ...]:
    from mmsigma.models.counting.repetition_counter import _stack_labels

    return _stack_labels(data['data_samples'], data['inputs'])


def test_starts_are_within_the_factor_of_the_cycle():
    data = batch((200,) * 500)
    states = StateWalk(max_factor=2.0).start(*labels_of(data))
    segments, middle = segment_lengths(states), states[:, 1]
    inner = (middle >= 10) & (middle < 180)
    # the distance 10 plus 1 is the reference's length of a cycle
    assert segments[inner].min() >= 5 and segments[inner].max() <= 22
    assert segments[inner].min() <= 6 and segments[inner].max() >= 21
    assert middle.min() >= 0 and middle.max() < 199 and middle.double().std() > 40


def test_a_walk_moves_on_and_takes_over_predicted_lengths():
    states = torch.tensor([[11, 20, 30]]).repeat(300, 1)
    lengths = torch.full((300,), 100)
    fresh = torch.full((300, 3), -7)
    moved = StateWalk().advance(states, torch.tensor([[0.5, 2.0]]).repeat(300, 1), fresh, lengths)
    assert segment_lengths(moved).unique(dim=0).tolist() == [[5, 20]]
    stride = moved[:, 1] - 20
    assert stride.min() >= 100 // 20 and stride.max() <= 100 // 5 and len(stride.unique()) > 5


@pytest.mark.parametrize(
    ('middle', 'scale', 'restarts'), [(20, 1.0, False), (97, 1.0, True), (20, 0.3, True), (20, 11.0, True)]
)
def test_a_walk_that_failed_or_arrived_starts_anew(middle, scale, restarts):
    states = torch.tensor([[middle - 9, middle, middle + 10]])
    fresh = torch.tensor([[1, 2, 3]])
    moved = StateWalk().advance(states, torch.full((1, 2), scale), fresh, torch.tensor([100]))
    assert torch.equal(moved, fresh) == restarts


@pytest.mark.parametrize(('middle', 'restarts'), [(88, False), (89, True)])
def test_a_walk_ends_where_no_frame_follows(middle: int, restarts: bool) -> None:
    """The right segment begins with the frame after the middle, which has to exist."""
    fresh = torch.tensor([[1, 2, 3]])
    walk = StateWalk(moves=(10.0, 10.0))  # steps of 10 frames
    moved = walk.advance(
        torch.tensor([[middle - 9, middle, middle + 10]]), torch.ones(1, 2), fresh, torch.tensor([100])
    )
    assert torch.equal(moved, fresh) == restarts and (restarts or int(moved[0, 1]) == 98)


def test_starts_have_the_cycles_left_and_right_of_the_middle() -> None:
    """The previous cycle is that of the middle, the next one that of the frame after it."""
    torch.manual_seed(0)
    frames = torch.arange(1000)
    previous, following = (frames // 2 + 40)[None].repeat(200, 1), (frames // 3 + 60)[None].repeat(200, 1)
    states = StateWalk(max_factor=1.0).start(previous, following, torch.full((200,), 1000))
    middle = states[:, 1]
    # a label is the distance, and the cycle one frame longer; half of the video is the longest segment
    expected = torch.stack([middle // 2 + 41, (middle + 1) // 3 + 61], dim=1).clamp(max=500)
    assert (segment_lengths(states) == expected).all()
