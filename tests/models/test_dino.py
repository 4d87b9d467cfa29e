"""DINO: its loss by a double loop, the teacher as a moving average, crops, and where Mask-VOS takes it up."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmsigma.datasets.transforms import MultiCrop
from mmsigma.engine.hooks import MomentumTeacherHook
from mmsigma.models import DINO, MaskVOS
from mmsigma.models.correspondence_schemes import ClipViews
from mmsigma.models.losses.self_distillation import self_distillation_loss
from mmsigma.utils.checkpoint import load_into_model

HEAD = dict(num_prototypes=16, hidden_channels=8, bottleneck_channels=4)


@pytest.fixture
def model() -> DINO:
    torch.manual_seed(0)
    return DINO(dict(type='ResNetEncoder', depth=18), HEAD)


def crops(batch: int = 2) -> ClipViews:
    generator = torch.Generator().manual_seed(1)
    return ClipViews(*(torch.randn(batch, n, 3, side, side, generator=generator) for n, side in ((2, 32), (3, 16))))


def test_loss_is_that_of_all_pairs_of_other_crops() -> None:
    torch.manual_seed(0)
    student, teacher, center = torch.randn(4, 3, 5), torch.randn(2, 3, 5), torch.randn(5)
    terms = []
    for seen in range(2):
        target = F.softmax((teacher[seen] - center) / 0.07, dim=1)
        for crop in range(4):
            if crop != seen:
                terms.append(-(target * F.log_softmax(student[crop] / 0.1, dim=1)).sum(dim=1).mean())
    ours = self_distillation_loss(student, teacher, center, teacher_temperature=0.07)
    torch.testing.assert_close(ours, torch.stack(terms).mean())
    with pytest.raises(ValueError, match='two or more'):
        self_distillation_loss(student[:1], teacher, center)


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


def test_prototypes_can_be_held(model: DINO) -> None:
    model.head.hold_prototypes = True
    model(crops(), mode='loss')['loss_distillation'].backward()
    assert not model.head.prototypes.grad.any()
    assert model.head.layers[0].weight.grad.any()


def test_teacher_is_a_moving_average_with_a_schedule(model: DINO) -> None:
    hook = MomentumTeacherHook(momentum=0.9, temperatures=(0.04, 0.08), warmup_epochs=4, hold_epochs=1)
    runner = SimpleNamespace(model=model, iter=0, epoch=0, max_iters=10)
    with torch.no_grad():
        model.backbone.conv1.weight += 1
        model.backbone.bn1.running_mean += 2
    hook.before_train(runner)
    assert torch.equal(model.teacher['backbone'].conv1.weight, model.backbone.conv1.weight)
    assert torch.equal(model.teacher['backbone'].bn1.running_mean, model.backbone.bn1.running_mean)
    hook.before_train_epoch(runner)
    assert model.head.hold_prototypes and model.teacher_temperature == 0.04
    runner.epoch, runner.iter = 1, 5
    hook.before_train(runner)  # resumed: the teacher stays
    hook.before_train_epoch(runner)
    assert not model.head.hold_prototypes and model.teacher_temperature == pytest.approx(0.05)
    before = model.teacher['backbone'].conv1.weight.clone()
    with torch.no_grad():
        model.backbone.conv1.weight += 1
    hook.after_train_iter(runner, 0)
    torch.testing.assert_close(model.teacher['backbone'].conv1.weight, before + 0.05)  # half way from 0.9 to 1
    with pytest.raises(ValueError, match='momentum must be between 0 and 1'):
        MomentumTeacherHook(momentum=2)


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


def test_crops() -> None:
    np.random.seed(0)
    frame = np.random.default_rng(0).integers(256, size=(60, 80, 3), dtype=np.uint8)
    transform = MultiCrop(2, 3, sizes=(32, 16))
    found = transform(dict(imgs=[frame]))
    assert [crop.shape for crop in found['imgs']] == [(32, 32, 3)] * 2
    assert [crop.shape for crop in found['views']] == [(16, 16, 3)] * 3
    np.random.seed(0)
    again = transform(dict(imgs=[frame]))
    assert all(np.array_equal(*pair) for key in ('imgs', 'views') for pair in zip(found[key], again[key], strict=True))
    assert not np.array_equal(transform(dict(imgs=[frame]))['imgs'][0], found['imgs'][0])
    assert 'views' not in MultiCrop(2, 0)(dict(imgs=[frame]))
    with pytest.raises(ValueError, match='two crops in total are required'):
        MultiCrop(1, 0)
