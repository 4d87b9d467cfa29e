"""The counter as a model: windows, training states, updates per batch, prediction."""

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper

from mmsigma.models.counting.counting_head import CycleScores
from mmsigma.models.counting.state_walk import StateWalk, segment_lengths
from mmsigma.ops.repetition import cycle_labels, window_indices
from mmsigma.registry import MODELS


def build(**options) -> torch.nn.Module:
    backbone = dict(
        type='VideoVisionTransformer',
        arch=dict(embed_dims=24, depth=1, num_heads=2),
        img_size=16,
        num_frames=32,
        patch_size=8,
        final_norm=False,
    )
    return MODELS.build(dict(type='RepetitionCounter', backbone=backbone, head=dict(type='CountingHead'), **options))


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


def test_preprocessor_leaves_bytes_and_normalises_windows():
    model, data = build(), batch()
    out = model.data_preprocessor(data, True)
    assert [video.dtype for video in out['inputs']] == [torch.uint8] * 2
    states = torch.tensor([[5, 14, 24], [20, 29, 39]])
    windows = model.windows(out['inputs'], states)
    frame = window_indices(states)[0, 8]
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    expected = (data['inputs'][0][:, frame].float() - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(windows[0, :, 8], expected)
    with pytest.raises(ValueError, match=r'\(C=3, T, H, W\), got \(1, 4, 8, 8\)'):
        model.data_preprocessor({'inputs': [torch.zeros(1, 4, 8, 8, dtype=torch.uint8)]})


@pytest.mark.parametrize(('reference', 'expected'), [(False, (0.0, 0.0, 0.0)), (True, (0.485, 0.456, 0.406))])
def test_frames_outside_the_video(reference, expected):
    model, data = build(reference_padding=reference), batch((30,))
    state = torch.tensor([[2, 11, 21]])
    outside = window_indices(state)[0] < 0
    assert 0 < outside.sum() < 16
    windows = model.windows(data['inputs'], state)
    torch.testing.assert_close(windows[0, :, outside, 0, 0], torch.tensor(expected)[:, None].expand(-1, outside.sum()))


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


def test_loss_looks_at_labels_left_and_right_of_the_middle():
    model, data = build(), batch()
    seen = {}
    loss = model.head.loss
    model.head.loss = lambda scores, labels, segments: (
        seen.update(labels=labels, segments=segments) or loss(scores, labels, segments)
    )
    # frame 9 is in the first cycle, so that it has no previous one; frame 10 is in the second
    states = torch.tensor([[1, 9, 18], [25, 34, 46]])
    losses = model(**data, mode='loss', states=states)
    assert seen['labels'].tolist() == [[-1, 10], [10, 10]]
    assert seen['segments'].tolist() == [[9, 9], [10, 12]]
    assert set(losses) == {'loss_cls', 'loss_box', 'positive_share'} and losses['loss_cls'] > 0


def test_a_batch_is_worth_several_updates_along_the_walk():
    model = build(num_steps=4)
    states, step = [], model.step

    def recorded(videos, samples, given):
        states.append(given)
        return step(videos, samples, given)

    model.step = recorded
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    log = model.train_step(batch(), OptimWrapper(optimizer))
    assert {'loss', 'loss_cls', 'loss_box', 'positive_share'} == set(log)
    assert states[0] is None and all(given.shape == (2, 3) for given in states[1:]) and len(states) == 4
    assert {int(value['step']) for value in optimizer.state.values()} == {4}


def test_accumulated_gradients_are_refused():
    model = build()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    with pytest.raises(ValueError, match='accumulative_counts must be 1'):
        model.train_step(batch(), wrapper)


def test_every_parameter_learns():
    model = build()
    losses = model(**batch(), mode='loss', states=torch.tensor([[11, 20, 30], [25, 34, 46]]))
    (losses['loss_cls'] + losses['loss_box']).backward()
    assert not [name for name, value in model.named_parameters() if value.grad is None]


def test_prediction_does_not_depend_on_the_size_of_batches():
    small, large = build(max_windows=3), build(max_windows=64)
    large.load_state_dict(small.state_dict())
    data = batch()
    counts = [[s.pred_count for s in model.eval()(**data, mode='predict')] for model in (small, large)]
    assert counts[0] == counts[1] and all(isinstance(count, int) for count in counts[0])


def test_tensor_mode_scores_windows():
    model = build()
    scores = model(torch.randn(2, 3, 32, 16, 16))
    assert isinstance(scores, CycleScores) and scores.cls_left.shape == (2, 2, 7) and scores.box_right.shape == (2, 7)


def test_missing_labels_and_modes_are_named():
    model, data = build(), batch()
    with pytest.raises(ValueError, match='PackRepetitionInputs'):
        model(data['inputs'], [ActionDataSample()], mode='loss')
    with pytest.raises(ValueError, match="got 'train'"):
        model(**data, mode='train')
