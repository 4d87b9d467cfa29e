"""DINO: its loss by a double loop, the teacher as a moving average, crops, and where Mask-VOS takes it up."""

import math

import pytest
import torch

from mmsigma.checkpoints.io import load_into_model
from mmsigma.models import DINO, MaskVOS
from mmsigma.models.clip_views import ClipViews

HEAD = dict(num_prototypes=16, hidden_channels=8, bottleneck_channels=4)


@pytest.fixture
def model() -> DINO:
    torch.manual_seed(0)
    return DINO(dict(type='ResNetEncoder', depth=18), HEAD)


def crops(batch: int = 2) -> ClipViews:
    generator = torch.Generator().manual_seed(1)
    return ClipViews(*(torch.randn(batch, n, 3, side, side, generator=generator) for n, side in ((2, 32), (3, 16))))


def test_only_the_student_is_trained(model: DINO) -> None:
    losses = model(crops(), mode='loss')
    losses['loss_distillation'].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.head.parameters())
    assert model.backbone.conv1.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.teacher.parameters())
    assert 0 < losses['teacher_entropy'] <= math.log(16)


def test_center_follows_the_teacher(model: DINO) -> None:
    images = crops()
    model(images, mode='loss')
    twin = DINO(dict(type='ResNetEncoder', depth=18), HEAD)
    twin.load_state_dict({**model.state_dict(), 'center': torch.zeros(16)})
    maps = twin.teacher['backbone'](images.images.flatten(0, 1))
    expected = 0.1 * twin.teacher['head'](maps.mean(dim=(2, 3))).mean(dim=0)
    torch.testing.assert_close(model.center, expected, atol=1e-5, rtol=1e-4)


def test_student_learns_what_another_teacher_says(model: DINO) -> None:
    torch.manual_seed(1)
    model.teacher.load_state_dict(DINO(dict(type='ResNetEncoder', depth=18), HEAD).teacher.state_dict())
    model.teacher['head'].layers[4].weight.data.normal_()  # more than it says at random
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=1e-3)
    images, gaps = crops(), []
    for _ in range(15):
        losses = model(images, mode='loss')
        gaps.append((losses['loss_distillation'] - losses['teacher_entropy']).item())
        model.center.zero_()
        optimizer.zero_grad()
        losses['loss_distillation'].backward()
        optimizer.step()
    assert gaps[-1] < 0.3 * gaps[0]


def test_mask_vos_begins_with_the_teacher(model: DINO) -> None:
    with torch.no_grad():
        model.teacher['backbone'].conv1.weight += 1
    segmenter = MaskVOS(dict(type='KeyEncoder', depth=18, skips=False))
    load_into_model(segmenter, model.state_dict(), origin='dino.pth')
    assert torch.equal(segmenter.backbone.backbone.conv1.weight, model.teacher['backbone'].conv1.weight)
    again = DINO(dict(type='ResNetEncoder', depth=18), HEAD)
    load_into_model(again, model.state_dict(), origin='dino.pth', allow_missing=False)
    assert torch.equal(again.backbone.conv1.weight, model.backbone.conv1.weight)
