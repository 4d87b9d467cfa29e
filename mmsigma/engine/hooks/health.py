"""Hooks that detect failing training: non-finite losses and gradients, and collapsing features."""

from collections import deque
from functools import partial
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.optim import Optimizer

from mmsigma.engine.hooks.readout import is_time_to_read, reads_every_iteration
from mmsigma.engine.sharding import is_sharded, local_part
from mmsigma.registry import HOOKS


class _Update(NamedTuple):
    """What is finite in an update that the host has not looked at yet."""

    iteration: int
    names: list[str]  # of the parameters that had a gradient
    wrong: Tensor  # ``(1 + len(names),)``, bool: whether the loss and each gradient is not finite


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop a run at a NaN or infinite loss or gradient, which makes no step, and name its cause.

    Gradients with which the loss scaling of float16 makes no step are not checked.

    On a GPU, a check costs time because the host waits for its result. A fused Adam can instead be told on the device
    to make no step. The host then learns of it at the logging interval, or before a checkpoint is written, and stops
    the run; steps in between have been made.

    Args:
        deferred: Whether to leave it to the optimiser to make no step, and to check later; None decides by device and
            optimiser.
    """

    priority = 'VERY_HIGH'

    def __init__(self, *, deferred: bool | None = None) -> None:
        self.deferred = deferred
        self.batch: dict[str, Any] = {}
        self.sharded = False
        self.outputs: dict[str, Tensor] = {}  # of the model's parts in this step, in the order of execution
        self.pending: list[_Update] = []
        self.wrong_loss: Tensor | None = None  # of the losses since the last step, if checks are deferred

    def before_train(self, runner: Runner) -> None:
        wrapper, self.sharded = runner.optim_wrapper, is_sharded(runner.model)
        if self.deferred is None:
            optimizer = wrapper.optimizer
            skips = getattr(optimizer, '_step_supports_amp_scaling', False)  # it reads `found_inf`
            skips = skips and all(group.get('fused') for group in optimizer.param_groups)
            self.deferred = skips and not self.sharded and not reads_every_iteration(runner.model)
        update = wrapper.update_params

        def update_params(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            if self.deferred:
                wrong = ~torch.isfinite(loss.detach())
                self.wrong_loss = wrong if self.wrong_loss is None else self.wrong_loss | wrong
            elif not torch.isfinite(loss):
                raise FloatingPointError(f'the loss is {loss.item()} in {_place(runner)}. {self.cause(runner.model)}')
            self.outputs.clear()
            update(loss, *args, **kwargs)

        # traced by torch.compile, which mmengine applies to whole steps, it would be compiled anew in each
        wrapper.update_params = torch.compiler.disable(update_params)
        check = self._prevent_step if self.deferred else self._check_gradients
        wrapper.optimizer.register_step_pre_hook(lambda optimizer, *_: check(runner, optimizer))
        if self.deferred:
            wrapper.optimizer.register_step_post_hook(lambda optimizer, *_: setattr(optimizer, 'found_inf', None))
        elif not runner.cfg.get('compile'):  # hooks have no effect on compiled parts
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
        gradients = _gradients(runner.model)
        fine = torch.stack(torch._foreach_norm(list(gradients.values()))).isfinite()
        if self.sharded:  # a process that goes on alone would wait for the others
            fine = fine.byte()
            all_reduce(fine, 'min')
        if bad := [name for name, is_fine in zip(gradients, fine.tolist(), strict=True) if not is_fine]:
            raise FloatingPointError(
                f'{len(bad)} of {len(gradients)} gradients are not finite in {_place(runner)}, for example that of '
                f'{bad[0]}, although the loss is. The parameters are still those of the last step. {_REMEDY}'
            )

    def _prevent_step(self, runner: Runner, optimizer: Any) -> None:
        """Tell a fused optimiser to make no step if loss or gradients are not finite, without waiting for them."""
        gradients = _gradients(runner.model)
        norms = torch.stack(torch._foreach_norm(list(gradients.values())))
        assert self.wrong_loss is not None
        infinite = ~norms.isfinite()
        overflow: Tensor | None = getattr(optimizer, 'found_inf', None)
        if overflow is not None:  # an overflow of gradients is a matter of the scaler
            infinite = infinite & (overflow == 0)
        wrong = torch.cat([self.wrong_loss.reshape(1), infinite]).byte()
        self.wrong_loss = None
        all_reduce(wrong, 'max')  # or else one process would go on with other parameters, and end alone
        found = wrong.any().float()
        optimizer.found_inf = found if overflow is None else torch.maximum(found, overflow)
        self.pending.append(_Update(runner.iter, list(gradients), wrong))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None, outputs: Any = None
    ) -> None:
        if self.pending and is_time_to_read(runner, batch_idx):
            self.check_pending()

    def before_write_checkpoint(self, runner: Runner) -> None:
        """Check what is left, see :meth:`VideoRunner.write_checkpoint`."""
        self.check_pending()

    def after_train(self, runner: Runner) -> None:
        self.check_pending()

    def check_pending(self) -> None:
        """Check all updates that have not been checked.

        Raises:
            FloatingPointError: If one was not made, because the loss or a gradient was not finite.
        """
        if not self.pending:
            return
        updates, self.pending = self.pending, []
        flags = iter(torch.cat([update.wrong for update in updates]).tolist())
        for update in updates:
            wrong_loss, bad = next(flags), [name for name in update.names if next(flags)]
            if wrong_loss or bad:
                what = f'{len(bad)} of {len(update.names)} gradients'
                what = 'the loss is' if wrong_loss else f'the loss is finite, but {what} are'
                example = f', for example that of {bad[0]}' if bad and not wrong_loss else ''
                raise FloatingPointError(
                    f'{what} not finite in iteration {update.iteration}{example}. It made no step, but those after it '
                    f'did. To learn its cause, set deferred=False for NonFiniteLossHook in custom_hooks. {_REMEDY}'
                )


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    """Return the gradients of all parameters that have one, or the parts of them that this process holds."""
    return {name: local_part(value.grad) for name, value in model.named_parameters() if value.grad is not None}


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
        # read once per window, because a GPU would wait
        self.start: dict[str, Tensor] = {}
        self.history: dict[str, deque[Tensor]] = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        for name, value in (outputs or {}).items():
            if name.startswith(('assignment_entropy', 'relative_level', 'target_std')):
                self.start.setdefault(name, value.detach())
                self.history.setdefault(name, deque(maxlen=self.window)).append(value.detach())
        if runner.iter + 1 >= self.warmup and self.every_n_train_iters(runner, self.window):
            for text in self.symptoms():
                runner.logger.warning(f'iteration {runner.iter + 1}: {text}')

    def symptoms(self) -> list[str]:
        """Return a message for each average of the window that indicates a collapse."""
        texts = []
        for name, values in self.history.items():
            mean = torch.stack(list(values)).mean().item()
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
            if name.startswith('target_std') and mean < self.min_spread * self.start[name].item():
                texts.append(
                    f'{name} is {mean:.3g}, it was {self.start[name].item():.3g} initially: the target collapses to a '
                    'constant, as a learnt one does when it is regressed. Use prototypes (PrototypeHead) or a fixed '
                    'target.'
                )
        return texts
