"""Hook that reports progress and metrics on the console."""

import time
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mmsigma.registry import HOOKS
from mmsigma.utils.durations import describe_duration


@HOOKS.register_module()
class ProgressHook(Hook):
    """Print a summary at the start, then a progress bar, and the metrics of every evaluation.

    If the console is not a terminal, plain lines at intervals replace the bar.

    Args:
        keys: Outputs of the model to show, if present.
        seconds: Interval between lines if the console is not a terminal, in seconds.
    """

    priority = 'VERY_LOW'

    def __init__(
        self,
        keys: tuple[str, ...] = ('loss', 'used_prototypes', 'relative_level'),
        seconds: float = 15.0,
    ) -> None:
        self.keys, self.seconds = tuple(keys), seconds
        self.console = Console(highlight=False, soft_wrap=True)
        self.progress: Progress | None = None
        self.evaluation: tuple[Progress, TaskID] | None = None
        self.waited = self.worked = 0.0

    def before_train(self, runner: Runner) -> None:
        if not is_main_process():
            return
        self.console.print(self.summary(runner))
        self._first = runner.iter
        self._started = self._last_line = self._mark = time.monotonic()
        self.progress = Progress(
            TextColumn('epoch {task.fields[epoch]}'),
            BarColumn(bar_width=24),
            TextColumn('{task.completed:.0f}/{task.total:.0f}'),
            TextColumn('{task.fields[status]}'),
            TimeElapsedColumn(),
            TextColumn('left'),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.progress.add_task('', total=runner.max_iters, completed=runner.iter, epoch='', status='')
        self.progress.start()

    @staticmethod
    def summary(runner: Runner) -> str:
        """Describe model, data, schedule and output folder of a run."""
        loader = runner.train_dataloader
        millions = sum(p.numel() for p in runner.model.parameters() if p.requires_grad) / 1e6
        batch = loader.batch_size * runner.world_size
        device = next(runner.model.parameters()).device
        scaling = runner.cfg.get('auto_scale_lr') or {}
        clips = batch * getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        mismatch = not scaling.get('enable') and scaling.get('base_batch_size', clips) != clips
        # with layer decay, the largest rate is that of the head
        lr = max(group.get('initial_lr', group['lr']) for group in runner.optim_wrapper.param_groups)
        return (
            f'model    {type(getattr(runner.model, "module", runner.model)).__name__}, '
            f'{millions:.2f} M trainable parameters\n'
            f'data     {len(loader.dataset)} videos, {batch} clips per step on {runner.world_size} x {device.type}\n'
            f'schedule {runner.max_epochs} epochs x {len(loader)} steps, learning rate {lr:.3g}'
            + (f', resumed at step {runner.iter} from {runner.resumed_from}' if runner.iter else '')
            + f'\noutput   {runner.log_dir}'
            + (
                f'\nwarning  the learning rate is set for {scaling["base_batch_size"]} clips per step, not {clips}: '
                'scale it with --auto-scale-lr'
                if mismatch
                else ''
            )
        )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        if self.progress:
            now = time.monotonic()
            self.waited += now - self._mark
            self._mark = now

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        if not self.progress:
            return
        now = time.monotonic()
        self.worked += now - self._mark
        self._mark = now
        done = runner.iter + 1
        if self.console.is_terminal:
            epoch = f'{runner.epoch + 1}/{runner.max_epochs}'
            self.progress.update(self.task, completed=done, epoch=epoch, status=self.status(runner))
        elif now - self._last_line >= self.seconds or done == runner.max_iters:
            self._last_line = now
            left = (now - self._started) / (done - self._first) * (runner.max_iters - done)
            self.console.print(
                f'epoch {runner.epoch + 1}/{runner.max_epochs}  step {done}/{runner.max_iters}  '
                f'{self.status(runner)}  {describe_duration(left)} left'
            )

    def before_val_epoch(self, runner: Runner) -> None:
        self._start_evaluation('validate', len(runner.val_dataloader))

    def before_test_epoch(self, runner: Runner) -> None:
        self._start_evaluation('test', len(runner.test_dataloader))

    def _start_evaluation(self, name: str, total: int) -> None:
        self._last_line = time.monotonic()
        if is_main_process() and self.console.is_terminal:
            bar = self.progress or Progress(*Progress.get_default_columns(), console=self.console)
            if self.progress:
                task = bar.add_task(name, total=total, epoch=name, status='')
            else:
                task = bar.add_task(name, total=total)
            self.evaluation = bar, task
            bar.start()

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None, outputs: list[Any] | None = None
    ) -> None:
        self._advance_evaluation('validate', batch_idx + 1, len(runner.val_dataloader))

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None, outputs: list[Any] | None = None
    ) -> None:
        self._advance_evaluation('test', batch_idx + 1, len(runner.test_dataloader))

    def _advance_evaluation(self, name: str, done: int, total: int) -> None:
        if self.evaluation:
            bar, task = self.evaluation
            bar.update(task, completed=done)
        elif is_main_process() and time.monotonic() - self._last_line >= self.seconds:
            self._last_line = time.monotonic()
            self.console.print(f'{name} {done}/{total}')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._finish_evaluation(f'epoch {runner.epoch}', metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._finish_evaluation('test', metrics)

    def _finish_evaluation(self, name: str, metrics: dict[str, float] | None) -> None:
        if self.evaluation:
            bar, task = self.evaluation
            bar.remove_task(task)
            if bar is not self.progress:
                bar.stop()
            self.evaluation = None
        if is_main_process() and metrics:
            values = '  '.join(f'{key} {value:.4g}' for key, value in metrics.items() if isinstance(value, float | int))
            self.console.print(f'{name}  {values}')

    def status(self, runner: Runner) -> str:
        """Format the chosen outputs as they were last read, and the fraction of time spent waiting for data."""
        history = runner.message_hub.log_scalars
        parts = [f'{key} {history[f"train/{key}"].current():.4g}' for key in self.keys if f'train/{key}' in history]
        share = self.waited / max(self.waited + self.worked, 1e-9)
        return '  '.join([*parts, f'data wait {share:.0%}'])

    def after_train(self, runner: Runner) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None
