"""The counting head and its loss against SEVERE's."""

import math

import pytest
import torch

from mmsigma.models.counting.counting_head import CountingHead, CycleScores
from mmsigma.ops.repetition import ANCHORS, labels_at
from tests.golden_evaluation import load_case


@pytest.fixture
def head() -> CountingHead:
    return CountingHead(in_channels=12)


def test_forward_equals_the_reference(head):
    case = load_case('repcount_head')
    names = {'cls_left': 'fc_cls_1', 'box_left': 'fc_box_1', 'cls_right': 'fc_cls_2', 'box_right': 'fc_box_2'}
    head.load_state_dict(
        {
            f'{ours}.{part}': case.tensor(f'in_{theirs}_{part}')
            for ours, theirs in names.items()
            for part in ('weight', 'bias')
        }
    )
    scores = head(case.tensor('in_x'))
    for name, value in scores._asdict().items():
        torch.testing.assert_close(value, case.tensor(f'out_{name}'), atol=case.tolerance, rtol=0)


def test_loss_equals_the_reference(head):
    case = load_case('repcount_targets_loss')
    found = labels_at(case.tensor('in_label'), case.tensor('in_position'), case.tensor('in_length'))
    labels = torch.stack([found[:8], found[8:16]], dim=1)
    segments = case.tensor('in_segment')
    segments = torch.stack([segments[:8], segments[8:16]], dim=1)
    scores = CycleScores(
        *(case.tensor(f'in_pred_{name}') for name in ('cls_left', 'box_left', 'cls_right', 'box_right'))
    )
    losses = head.loss(scores, labels, segments)
    assert losses['loss_cls'].item() == pytest.approx(float(case.arrays['out_loss_cls']), rel=1e-5)
    assert losses['loss_box'].item() == pytest.approx(float(case.arrays['out_loss_box']), rel=1e-5)


def test_undefined_labels_cost_nothing_and_are_finite(head):
    features = torch.randn(4, 12)
    losses = head.loss(head(features), torch.full((4, 2), -1), torch.full((4, 2), 10))
    assert {name: value.item() for name, value in losses.items()} == dict(loss_cls=0, loss_box=0, positive_share=0)
    (losses['loss_cls'] + losses['loss_box']).backward()
    assert all((parameter.grad == 0).all() for parameter in head.parameters())


def test_only_positive_anchors_teach_scales(head):
    # a cycle of 20 frames and segments of 5: scaled by 2 the overlap is 0.5, all other anchors are negative
    scores = head(torch.randn(3, 12))
    for value in scores:
        value.retain_grad()
    head.loss(scores, torch.full((3, 2), 19), torch.full((3, 2), 5))['loss_box'].backward()
    assert (scores.box_left.grad[:, :-1] == 0).all() and (scores.box_left.grad[:, -1] != 0).all()


def test_likeliest_scale(head):
    cls = torch.zeros(2, 2, 7)
    cls[0, 1, 6] = cls[1, 1, 0] = 3.0
    box = torch.zeros(2, 7)
    box[0, 6], box[1, 0] = 0.2, 9.0
    scales = head.cycle_scales(CycleScores(cls, box, cls.flip(0), box.flip(0)), max_log_scale=0.5)
    low, high = ANCHORS[0] * math.exp(0.5), ANCHORS[-1] * math.exp(0.2)
    torch.testing.assert_close(scales, torch.tensor([[high, low], [low, high]]))
