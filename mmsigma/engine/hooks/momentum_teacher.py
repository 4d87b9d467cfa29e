"""Hook with the schedules of a teacher that follows its student (DINO, ICCV 2021)."""

import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsigma.registry import HOOKS


@HOOKS.register_module()
class MomentumTeacherHook(Hook):
    """Update the teacher of DINO after each step, and set what depends on the epoch.

    When training starts, but not when it is resumed, the teacher becomes a copy of the student, whose weights may have
    been loaded.

    Args:
        momentum: Initial momentum of the teacher's weights, which rises to 1 along a cosine.
        temperatures: Temperature of the teacher, initially and after the warm-up.
        warmup_epochs: Number of epochs in which the temperature rises.
        hold_epochs: Number of epochs in which the prototypes are not trained.

    Raises:
        ValueError: If an argument is out of range.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        momentum: float = 0.996,
        temperatures: tuple[float, float] = (0.04, 0.07),
        warmup_epochs: int = 30,
        hold_epochs: int = 1,
    ) -> None:
        if not 0 <= momentum <= 1 or min(temperatures) <= 0:
            raise ValueError(
                f'momentum must be between 0 and 1 and temperatures positive, got {momentum} and {temperatures}'
            )
        self.momentum, self.temperatures = momentum, tuple(temperatures)
        self.warmup_epochs, self.hold_epochs = warmup_epochs, hold_epochs

    def before_train(self, runner: Runner) -> None:
        if runner.iter == 0:
            _model(runner).move_teacher(0.0)

    def before_train_epoch(self, runner: Runner) -> None:
        first, last = self.temperatures
        model = _model(runner)
        model.teacher_temperature = first + (last - first) * min(runner.epoch / max(self.warmup_epochs, 1), 1)
        model.head.hold_prototypes = runner.epoch < self.hold_epochs

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        done = runner.iter / runner.max_iters
        _model(runner).move_teacher(1 - (1 - self.momentum) * (1 + math.cos(math.pi * done)) / 2)


def _model(runner: Runner) -> Any:
    return getattr(runner.model, 'module', runner.model)
