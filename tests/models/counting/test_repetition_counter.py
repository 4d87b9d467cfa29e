"""The counter as a model: windows, training states, updates per batch, prediction."""

import pytest
import torch
from mmaction.structures import ActionDataSample

from mmsigma.models.counting.counting_head import CycleScores
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


@pytest.mark.parametrize(('reference', 'expected'), [(False, (0.0, 0.0, 0.0)), (True, (0.485, 0.456, 0.406))])
def test_frames_outside_the_video(reference, expected):
    model, data = build(reference_padding=reference), batch((30,))
    state = torch.tensor([[2, 11, 21]])
    outside = window_indices(state)[0] < 0
    assert 0 < outside.sum() < 16
    windows = model.windows(data['inputs'], state)
    torch.testing.assert_close(windows[0, :, outside, 0, 0], torch.tensor(expected)[:, None].expand(-1, outside.sum()))


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
