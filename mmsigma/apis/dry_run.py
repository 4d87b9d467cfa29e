"""A few training steps of a config, to learn what training takes before it is started."""

import logging
import resource
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.flop_counter import FlopCounterMode

from mmsigma.apis.launch import build_runner, prepare_training
from mmsigma.engine.hooks.progress import clips_per_step
from mmsigma.utils.durations import describe_duration


class TrainingCost(NamedTuple):
    """What training takes.

    Attributes:
        trainable: Number of trainable parameters.
        frozen: Number of all other parameters of the model.
        clips: Clips of a step of this process.
        steps: Steps of an epoch.
        epochs: Number of epochs.
        flops: FLOPs of products and convolutions of a step, forward and backward, per clip.
        seconds: Seconds of a step, without waiting for data.
        waiting: Seconds of waiting for data before a step.
        memory: Bytes that a step needs beyond what was held before; on a GPU the peak of everything.
    """

    trainable: int
    frozen: int
    clips: int
    steps: int
    epochs: int
    flops: float
    seconds: float
    waiting: float
    memory: int

    def describe(self) -> str:
        """Return lines for people."""
        step = self.seconds + self.waiting
        return '\n'.join(
            [
                f'parameters  {self.trainable / 1e6:.2f} M trainable, {self.frozen / 1e6:.2f} M frozen',
                f'compute     {self.flops / 1e9:.1f} GFLOP per clip, forward and backward',
                f'memory      {self.memory / 2**20:.0f} MB per step of {self.clips} clips',
                f'step        {self.seconds:.2f} s, and {self.waiting:.2f} s of waiting for data',
                f'epoch       {describe_duration(step * self.steps)} for {self.steps} steps',
                f'training    {describe_duration(step * self.steps * self.epochs)} for {self.epochs} epochs',
            ]
        )


class _Finished(Exception):
    """Ends a run after the last step that was wanted."""


class _Measure(Hook):
    """Count the FLOPs of the first step and the time of the others."""

    priority = 'VERY_LOW'

    def __init__(self, num_steps: int) -> None:
        self.num_steps = num_steps
        self.times: list[tuple[float, float]] = []  # of waiting and of working, of all steps but the first
        self.flops = self.memory = 0

    def before_train(self, runner: Runner) -> None:
        _restart_peak()
        self._mark, self._held = time.perf_counter(), _peak()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        now = time.perf_counter()
        self._waited, self._mark = now - self._mark, now
        if batch_idx == 0:
            self._counter = FlopCounterMode(display=False)
            self._counter.__enter__()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        if batch_idx == 0:
            self._counter.__exit__(None, None, None)
            self.flops = int(self._counter.get_total_flops())
        else:
            self.times.append((self._waited, now - self._mark))
        self.memory = _peak() if torch.cuda.is_available() else _peak() - self._held
        if batch_idx + 1 == self.num_steps:
            raise _Finished
        self._mark = time.perf_counter()


def _restart_peak() -> None:
    """Let the peak of this process begin anew, as building the model may have needed more than a step does."""
    with suppress(OSError):  # other systems than Linux, and containers that do not allow it
        Path('/proc/self/clear_refs').write_text('5')


def _peak() -> int:
    """Return the largest number of bytes held so far, on the GPU or in this process."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    with suppress(OSError):
        status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
        return int(status['VmHWM'].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _forget_log(logger: logging.Logger) -> None:
    """Let a logger, which stays that of the process, write to no file, whose folder will be gone."""
    for handler in [handler for handler in logger.handlers if isinstance(handler, logging.FileHandler)]:
        logger.removeHandler(handler)
        handler.close()


def dry_run(cfg: Config, num_steps: int = 4) -> TrainingCost:
    """Build everything that a config describes, train a few steps, and forget them.

    Args:
        cfg: Config of a training, as for ``tools/train.py``. Nothing is written to its work dir.
        num_steps: Number of steps, of which the first is not timed.

    Raises:
        ValueError: If an epoch has fewer than two steps, or several processes would train.
    """
    if cfg.get('launcher', 'none') != 'none':
        raise ValueError('a dry run measures one process: leave out the launcher, and -n')
    with TemporaryDirectory() as folder:
        cfg = Config(dict(cfg.copy()))
        cfg.work_dir, cfg.resume = str(Path(folder, 'dry_run')), False
        cfg.default_hooks = {**(cfg.get('default_hooks') or {}), 'interruption': None}  # nothing is worth keeping
        cfg.experiment_name = Path(folder).name  # mmengine keeps loggers and pictures of runs of one name and second
        prepare_training(cfg, 'dry run')
        runner = build_runner(cfg)
        _forget_log(runner.logger)
        steps = len(runner.train_dataloader)
        if steps < 2:
            raise ValueError(f'an epoch has {steps} step, and at least two are needed to time one')
        measure = _Measure(min(num_steps, steps))
        runner.register_hook(measure)
        try:
            runner.train()
        except _Finished:
            pass
        counts = [0, 0]
        for parameter in runner.model.parameters():
            counts[parameter.requires_grad] += parameter.numel()
        waited, worked = (sorted(column)[len(column) // 2] for column in zip(*measure.times, strict=True))
        clips = clips_per_step(runner)
        return TrainingCost(
            counts[1], counts[0], clips, steps, runner.max_epochs, measure.flops / clips, worked, waited, measure.memory
        )
