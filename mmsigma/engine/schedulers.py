"""Learning-rate schedule of masked video modelling (VideoMAE; SIGMA)."""

import math
from typing import Any

from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler

from mmsigma.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(_ParamScheduler):
    """Linear warm-up from 0, then a half cosine to a fraction of the base rate, as in VideoMAE and SIGMA.

    The warm-up reaches the base rate in its last step, at which the cosine starts again; the cosine stops one step
    short of its minimum. Values are computed from the step alone, not from the previous value.

    Args:
        optimizer: Optimiser or optimiser wrapper.
        warmup: Length of the warm-up, in epochs or iterations.
        end: Length of the schedule, in epochs or iterations.
        min_ratio: Lowest rate relative to the base rate. As a ratio, it scales with the base rate.
        begin: First step.
        last_step: Step after which to continue.
        by_epoch: Whether to count epochs instead of iterations.
        verbose: Whether to print every change.

    Raises:
        ValueError: If the warm-up is longer than the schedule.
    """

    def __init__(
        self,
        optimizer: Any,
        warmup: int,
        end: int,
        min_ratio: float = 0.0,
        *,
        begin: int = 0,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if not 0 <= warmup <= end - begin:
            raise ValueError(
                f'warmup {warmup} must not be longer than the schedule, {begin} to {end}: with few epochs, set '
                'warmup_epochs as well'
            )
        self.warmup, self.min_ratio = warmup, min_ratio
        super().__init__(optimizer, 'lr', begin, end, last_step, by_epoch, verbose)

    @classmethod
    def build_iter_from_epoch(
        cls,
        *args: Any,
        warmup: int,
        end: int = INF,
        begin: int = 0,
        by_epoch: bool = True,
        epoch_length: int = 1,
        **kwargs: Any,
    ) -> 'WarmupCosineLR':
        """Build a schedule in iterations from lengths in epochs.

        Raises:
            ValueError: If ``by_epoch`` is not set.
        """
        if not by_epoch:
            raise ValueError('only a schedule in epochs can be converted to iterations')
        return cls(  # type: ignore[misc]  # args has the optimiser at most
            *args,
            warmup=warmup * epoch_length,
            begin=begin * epoch_length,
            end=end * epoch_length,
            by_epoch=False,
            **kwargs,
        )

    def factor(self, step: int) -> float:
        """Return the rate at a step relative to the base rate."""
        if step < self.warmup:
            return step / max(self.warmup - 1, 1)
        decay = self.end - self.begin - self.warmup
        progress = (step - self.warmup) / decay if decay else 0.0  # the warm-up may take the whole schedule
        return self.min_ratio + (1 - self.min_ratio) / 2 * (1 + math.cos(math.pi * progress))

    def _get_value(self) -> list[float]:
        return [base * self.factor(self.last_step) for base in self.base_values]
