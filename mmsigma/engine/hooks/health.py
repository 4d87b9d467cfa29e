"""Hooks that detect failing training: non-finite losses and gradients, and collapsing features."""

from collections import deque
from functools import partial
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.optim import Optimizer

from mmsigma.engine.sharding import is_sharded, local_part
from mmsigma.registry import HOOKS


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop a run at a NaN or infinite loss or gradient, before the parameters change, and name its cause.

    Gradients with which the loss scaling of float16 makes no step are not checked.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.batch: dict[str, Any] = {}
        self.sharded = False
        self.outputs: dict[str, Tensor] = {}  # of the model's parts in this step, in the order of execution

    def before_train(self, runner: Runner) -> None:
        wrapper, self.sharded = runner.optim_wrapper, is_sharded(runner.model)
        update = wrapper.update_params

        def update_params(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            if not torch.isfinite(loss):
                raise FloatingPointError(f'the loss is {loss.item()} in {_place(runner)}. {self.cause(runner.model)}')
            self.outputs.clear()
            update(loss, *args, **kwargs)

        wrapper.update_params = update_params
        wrapper.optimizer.register_step_pre_hook(lambda optimizer, *_: self._check_gradients(runner, optimizer))
        if not runner.cfg.get('compile'):  # hooks have no effect on compiled parts
            for name, part in getattr(runner.model, 'module', runner.model).named_children():
                part.register_forward_hook(partial(self._keep, name))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        self.batch = data_batch or {}

    def cause(self, model: nn.Module) -> str:
        """Describe what was first not finite: pixels, parameters, or the output of a part of the model."""
        for clip, sample in zip(self.batch.get('inputs', ()), self.batch.get('data_samples') or (), strict=False):
            if clip.is_floating_point() and not torch.isfinite(clip).all():
                return f'The clip of {sample.metainfo.get("filename")} already contains NaN or infinite pixels.'
        if bad := [name for name, value in model.named_parameters() if not torch.isfinite(value).all()]:
            return (
                f'{len(bad)} parameters were not finite before this step, for example {bad[0]}, although all gradients '
                'were: the last update was too large (optim_wrapper.optimizer.lr), or they were loaded like that.'
            )
        healthy = []
        for name, output in self.outputs.items():
            if not torch.isfinite(output).all():
                return f'model.{name} is the first part whose output is not finite, while its parameters are. {_REMEDY}'
            healthy.append(f'model.{name}')
        known = f', and so are the outputs of {", ".join(healthy)}' if healthy else ''
        return f'Pixels and parameters are finite{known}: it overflowed after that. {_REMEDY}'

    def _keep(self, name: str, part: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        output = output.get('inputs') if isinstance(output, dict) else output
        if isinstance(output, Tensor):
            self.outputs[name] = output.detach()

    def _check_gradients(self, runner: Runner, optimizer: Optimizer) -> None:
        # fused optimisers make no step themselves if the scaler found an overflow, which it leaves in an attribute
        overflow: Tensor | None = getattr(optimizer, 'found_inf', None)
        if overflow is not None and overflow.item():
            return
        found = {name: value.grad for name, value in runner.model.named_parameters() if value.grad is not None}
        gradients = {name: local_part(gradient) for name, gradient in found.items()}
        fine = torch.stack(torch._foreach_norm(list(gradients.values()))).isfinite()
        if self.sharded:  # a process that goes on alone would wait for the others
            fine = fine.byte()
            all_reduce(fine, 'min')
        if bad := [name for name, is_fine in zip(gradients, fine.tolist(), strict=True) if not is_fine]:
            raise FloatingPointError(
                f'{len(bad)} of {len(gradients)} gradients are not finite in {_place(runner)}, for example that of '
                f'{bad[0]}, although the loss is. The parameters are still those of the last step. {_REMEDY}'
            )


_REMEDY = (
    'Resume from the last checkpoint with a smaller learning rate, bfloat16 instead of float16 (optim_wrapper.dtype), '
    'or gradient clipping (optim_wrapper.clip_grad).'
)


def _place(runner: Runner) -> str:
    return f'iteration {runner.iter} (epoch {runner.epoch})'


@HOOKS.register_module()
class CollapseHook(Hook):
    """Warn when statistics of the head indicate that features collapse.

    This is the case if Sinkhorn assigns nearly all tokens to the same few prototypes, if the loss stays at 2 ln K, the
    level of a uniform guess, or if a regressed target spreads far less than in the first iteration of the process.
    Averages over a window are checked once per window, after a warm-up.

    Args:
        window: Number of iterations per check.
        warmup: Number of iterations before the first check.
        min_entropy: Lowest healthy assignment entropy relative to its maximum.
        max_level: Highest healthy loss relative to 2 ln K.
        min_spread: Lowest healthy spread of the target relative to its initial value.
    """

    priority = 'LOW'

    def __init__(
        self,
        window: int = 100,
        warmup: int = 200,
        min_entropy: float = 0.5,
        max_level: float = 0.98,
        min_spread: float = 0.2,
    ) -> None:
        self.window, self.warmup = window, warmup
        self.min_entropy, self.max_level, self.min_spread = min_entropy, max_level, min_spread
        self.start: dict[str, float] = {}
        self.history: dict[str, deque[float]] = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        for name, value in (outputs or {}).items():
            if name.startswith(('assignment_entropy', 'relative_level', 'target_std')):
                self.start.setdefault(name, value.item())
                self.history.setdefault(name, deque(maxlen=self.window)).append(value.item())
        if runner.iter + 1 >= self.warmup and self.every_n_train_iters(runner, self.window):
            for text in self.symptoms():
                runner.logger.warning(f'iteration {runner.iter + 1}: {text}')

    def symptoms(self) -> list[str]:
        """Return a message for each average of the window that indicates a collapse."""
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
                    f'{name} is {mean:.3f}: the loss stays at the level of a uniform guess (2 ln K). Either the '
                    'features '
                    'have collapsed, or the learning rate is too small to leave the initial state.'
                )
            if name.startswith('target_std') and mean < self.min_spread * self.start[name]:
                texts.append(
                    f'{name} is {mean:.3g}, it was {self.start[name]:.3g} initially: the target collapses to a '
                    'constant, as a learnt one does when it is regressed. Use prototypes (PrototypeHead) or a fixed '
                    'target.'
                )
        return texts
