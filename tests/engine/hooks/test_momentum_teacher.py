"""The teacher follows the student."""

from types import SimpleNamespace

import pytest
import torch

from mmsigma.engine.hooks import MomentumTeacherHook
from mmsigma.models import DINO

HEAD = dict(num_prototypes=16, hidden_channels=8, bottleneck_channels=4)


@pytest.fixture
def model() -> DINO:
    torch.manual_seed(0)
    return DINO(dict(type='ResNetEncoder', depth=18), HEAD)


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
        model.backbone.bn1.running_mean += 3
    hook.after_train_iter(runner, 0)
    teacher_mean = model.teacher['backbone'].bn1.running_mean  # the teacher has statistics of its own
    torch.testing.assert_close(teacher_mean, model.backbone.bn1.running_mean - 3)
    torch.testing.assert_close(model.teacher['backbone'].conv1.weight, before + 0.05)  # half way from 0.9 to 1
    with pytest.raises(ValueError, match='momentum must be between 0 and 1'):
        MomentumTeacherHook(momentum=2)
