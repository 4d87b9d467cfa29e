"""Hook that reports progress and metrics on the console."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from mmsigma.datasets.videos.collate import samples_per_item
from mmsigma.registry import HOOKS
from mmsigma.utils.durations import describe_duration

_BAR = 12  # columns of the bar


@HOOKS.register_module()
class ProgressHook(Hook):
    """Print a summary at the start, then a progress bar, and the metrics of every evaluation.

    Bar, epoch, step, remaining time and loss are always shown; learning rate, clips per second, the share of time spent
    waiting for data, memory, and the other outputs as far as the line has room. If the console is not a terminal, plain
    lines at intervals replace the bar, with everything. Tests of whole videos, frame by frame, count frames.

    What happens between epochs, such as validation, checkpoints and reclustering, is no part of the speed of a step and
    of the wait for data; of the remaining time it is, as long for each epoch as for those before.

    The number of clips per second is also logged, as ``clips_per_second``.

    Args:
        keys: Outputs of the model to show, if present, the most important first.
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
        self.waited = self.worked = self.between = 0.0
        self.frames = self.clips = self._first_epoch = 0

    def before_train(self, runner: Runner) -> None:
        if not is_main_process():
            return
        self.console.print(self.summary(runner))
        self._first, self._first_epoch = runner.iter, runner.epoch
        self._started = self._last_line = self._mark = time.monotonic()
        self.progress = Progress(
            BarColumn(bar_width=_BAR),
            TextColumn('{task.fields[line]}'),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.clips = clips_per_step(runner)
        self.task = self.progress.add_task('', total=runner.max_iters, completed=runner.iter, line='')
        self.progress.start()

    @staticmethod
    def summary(runner: Runner) -> str:
        """Describe model, data, schedule and output folder of a run."""
        loader = runner.train_dataloader
        millions = sum(p.numel() for p in runner.model.parameters() if p.requires_grad) / 1e6
        batch = clips_per_step(runner)
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

    def before_train_epoch(self, runner: Runner) -> None:
        self._end_pause()

    def _end_pause(self) -> None:
        """Count the time since the last step as a pause, which is no wait for data."""
        if self.progress:
            now = time.monotonic()
            self.between += now - self._mark
            self._mark = now

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
        seconds = (self.waited + self.worked) / max(done - self._first, 1)
        runner.message_hub.update_scalar('train/clips_per_second', self.clips / max(seconds, 1e-9))
        if self.console.is_terminal:
            line = fit(self.parts(runner, seconds), self.console.width - _BAR - 1)
            self.progress.update(self.task, completed=done, line=line)
        elif now - self._last_line >= self.seconds or done == runner.max_iters:
            self._last_line = now
            self.console.print('  '.join(self.parts(runner, seconds)))

    def before_val_epoch(self, runner: Runner) -> None:
        self._start_evaluation('validate', len(runner.val_dataloader), 'batches')

    def before_test_epoch(self, runner: Runner) -> None:
        videos = getattr(runner.test_dataloader.dataset, 'sequences', None)
        self.frames = 0
        # of one process; others test as many
        total = None if videos is None else sum(len(video.frames) for video in videos) // runner.world_size
        self._start_evaluation('test', total or len(runner.test_dataloader), 'batches' if total is None else 'frames')

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None) -> None:
        videos = data_batch.get('inputs') if isinstance(data_batch, dict) else None
        if data_batch is not None and isinstance(videos, list) and all(hasattr(v, 'read_frame') for v in videos):
            data_batch['inputs'] = [Observed(video, self._count_frame) for video in videos]

    def _count_frame(self) -> None:
        self.frames += 1
        self._advance_evaluation(self.frames)

    def _start_evaluation(self, name: str, total: int, unit: str) -> None:
        self._last_line, self._total, self._name = time.monotonic(), total, f'{name}, {unit}'
        if is_main_process() and self.console.is_terminal:
            bar = self.progress
            if bar is None:
                columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
                bar = Progress(*columns, console=self.console)
            task = bar.add_task(self._name, total=total, line=self._name)
            self.evaluation = bar, task
            bar.start()

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None, outputs: list[Any] | None = None
    ) -> None:
        self._advance_evaluation(batch_idx + 1)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None, outputs: list[Any] | None = None
    ) -> None:
        if not self.frames:
            self._advance_evaluation(batch_idx + 1)

    def _advance_evaluation(self, done: int) -> None:
        if self.evaluation:
            bar, task = self.evaluation
            bar.update(task, completed=done, line=f'{self._name}  {done}/{self._total}')
        elif is_main_process() and time.monotonic() - self._last_line >= self.seconds:
            self._last_line = time.monotonic()
            self.console.print(f'{self._name}  {done}/{self._total}')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._finish_evaluation(f'epoch {runner.epoch}', metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._finish_evaluation('test', metrics)

    def _finish_evaluation(self, name: str, metrics: dict[str, float] | None) -> None:
        self._end_pause()
        if self.evaluation:
            bar, task = self.evaluation
            bar.remove_task(task)
            if bar is not self.progress:
                bar.stop()
            self.evaluation = None
        if is_main_process() and metrics:
            values = '  '.join(f'{key} {value:.4g}' for key, value in metrics.items() if isinstance(value, float | int))
            self.console.print(f'{name}  {values}')

    def parts(self, runner: Runner, seconds: float) -> list[str]:
        """Return what the line says, the most important first.

        Args:
            runner: Runner of the training.
            seconds: Duration of a step in seconds.
        """
        done, history = runner.iter + 1, runner.message_hub.log_scalars
        pause = self.between / (runner.epoch + 1 - self._first_epoch)
        left = seconds * (runner.max_iters - done) + pause * (runner.max_epochs - 1 - runner.epoch)
        outputs = [f'{key} {history[f"train/{key}"].current():.4g}' for key in self.keys if f'train/{key}' in history]
        rate = max(group['lr'] for group in runner.optim_wrapper.param_groups)
        return [
            f'epoch {runner.epoch + 1}/{runner.max_epochs}',
            f'step {done}/{runner.max_iters}',
            f'{describe_duration(left)} left',
            *outputs[:1],
            f'lr {rate:.3g}',
            f'{self.clips / max(seconds, 1e-9):.3g} clips/s',
            f'data wait {self.waited / max(self.waited + self.worked, 1e-9):.0%}',
            f'memory {_memory() / 1e9:.1f} GB',
            *outputs[1:],
        ]

    def after_train(self, runner: Runner) -> None:
        if self.progress:
            self.progress.stop()
            self.progress = None


class Observed:
    """A video that tells when a frame of it is read.

    Args:
        video: Video with a method ``read_frame``.
        on_frame: Function that is called after each frame.
    """

    def __init__(self, video: Any, on_frame: Callable[[], None]) -> None:
        self._video, self._on_frame = video, on_frame

    def __getattr__(self, name: str) -> Any:
        return getattr(self._video, name)

    def read_frame(self, number: int) -> Any:
        """Read a frame."""
        frame = self._video.read_frame(number)
        self._on_frame()
        return frame


def fit(parts: Sequence[str], width: int, keep: int = 4) -> str:
    """Join as many parts as a line of ``width`` columns has room for, but at least the first ``keep``."""
    line = '  '.join(parts[:keep])
    for part in parts[keep:]:
        if len(line) + 2 + len(part) > width:
            break
        line += f'  {part}'
    return line


def _memory() -> int:
    """Return the most memory in use so far, in bytes: of the GPU, or of this process without one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    import resource

    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def clips_per_step(runner: Runner) -> int:
    """Return the number of clips that all processes train on in a step, every sample of a repeated one counted."""
    loader = runner.train_dataloader
    clips: int = loader.batch_size * samples_per_item(loader.dataset) * runner.world_size
    return clips
