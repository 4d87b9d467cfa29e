"""Noticing that training goes wrong."""

import math
from collections import deque

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from mmsigma.registry import HOOKS


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stops a run whose loss is NaN or infinite, and names the cause as far as it can be found."""

    priority = 'VERY_HIGH'

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        loss = outputs['loss'].item()
        if not math.isfinite(loss):
            raise FloatingPointError(
                f'the loss is {loss} in iteration {runner.iter} (epoch {runner.epoch}). '
                + self.cause(runner, data_batch, outputs)
            )

    @staticmethod
    def cause(runner: Runner, data_batch: dict, outputs: dict[str, Tensor]) -> str:
        """Where the first non-finite numbers are, in the order in which they would have spread."""
        samples = data_batch['data_samples'] or []
        for clip, sample in zip(data_batch['inputs'], samples, strict=False):
            if clip.is_floating_point() and not torch.isfinite(clip).all():
                return f'The clip of {sample.metainfo.get("filename")} already holds NaN or infinite pixels.'
        model = runner.model
        bad = [name for name, value in model.named_parameters() if not torch.isfinite(value).all()]
        gradients = [
            name
            for name, value in model.named_parameters()
            if value.grad is not None and not torch.isfinite(value.grad).all()
        ]
        terms = [name for name, value in outputs.items() if not math.isfinite(value.item())]
        finite = [name for name, value in outputs.items() if math.isfinite(value.item())]
        text = f'Terms that are not finite: {terms}; finite: {finite}. '
        if bad:
            text += f'{len(bad)} parameters hold NaN, {bad[0]} for one, and {len(gradients)} gradients. '
        return text + (
            'The pixels were fine, so the network overflowed: resume from the last checkpoint with a smaller learning '
            'rate, bfloat16 instead of float16 (optim_wrapper.dtype), or gradient clipping (optim_wrapper.clip_grad).'
        )


@HOOKS.register_module()
class CollapseHook(Hook):
    """Warns when the statistics of the prototype head say that features collapse.

    They do when Sinkhorn gives nearly all tokens the same few prototypes, or when the loss stays at 2 ln K, the level
    of an uninformed guess. The averages over a window are judged, after a warm-up, once per window.

    Args:
        window: Iterations per judgement.
        warmup: Iterations before the first.
        min_entropy: Lowest healthy assignment entropy, relative to its maximum.
        max_level: Highest healthy loss relative to 2 ln K.
    """

    priority = 'LOW'

    def __init__(self, window: int = 100, warmup: int = 200, min_entropy: float = 0.5, max_level: float = 0.98) -> None:
        self.window, self.warmup = window, warmup
        self.min_entropy, self.max_level = min_entropy, max_level
        self.history: dict[str, deque[float]] = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        for name, value in outputs.items():
            if name.startswith(('assignment_entropy', 'relative_level')):
                self.history.setdefault(name, deque(maxlen=self.window)).append(value.item())
        if runner.iter + 1 >= self.warmup and self.every_n_train_iters(runner, self.window):
            for text in self.symptoms():
                runner.logger.warning(f'iteration {runner.iter + 1}: {text}')

    def symptoms(self) -> list[str]:
        """What the window's averages complain about."""
        texts = []
        for name, values in self.history.items():
            mean = sum(values) / len(values)
            if name.startswith('assignment_entropy') and mean < self.min_entropy:
                texts.append(
                    f'{name} is {mean:.3f}: few prototypes get nearly all labels. The features collapse; a smaller '
                    'epsilon or more Sinkhorn iterations may help.'
                )
            if name.startswith('relative_level') and mean > self.max_level:
                texts.append(
                    f'{name} is {mean:.3f}: the loss stays where a uniform guess is (2 ln K). Either the features '
                    'have collapsed, or the learning rate is too small to get away from the start.'
                )
        return texts
