"""Hook that saves a run which a scheduler or its user stops."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmsigma.engine.sharding import is_sharded
from mmsigma.registry import HOOKS

VALIDATION_DUE = 'validation_due'
"""Key of the message hub that tells a resumed run to validate the last epoch first."""
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_IMPATIENCE = 2.0  # seconds; torchrun passes on at once what its processes have received from the terminal themselves


class Interrupted(SystemExit):
    """The end of a run that was saved after a signal; the exit code is 128 + the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


@HOOKS.register_module()
class InterruptionHook(Hook):
    """Save a checkpoint and end the process after SIGTERM, SIGINT (Ctrl-C) or SIGUSR1.

    All ranks stop after the same iteration, even if only one of them was signalled: the signals are exchanged over a
    group of gloo, asynchronously, so that each step works on the exchange of the step before and nothing waits for it.
    In a validation or a clustering round, the run stops at the next batch or video, and does it again when it is
    resumed. A second Ctrl-C stops at once, without saving.

    Args:
        filename: Name of the checkpoint beside those of the ``CheckpointHook``; one is kept.
    """

    priority = 'VERY_LOW'  # after schedulers, loggers and the checkpoint of the same iteration

    def __init__(self, filename: str = 'interrupted.pth') -> None:
        self.filename = filename
        self.received = 0
        self._when = 0.0
        self._before: dict[int, Any] = {}
        self._group: Any = None
        self._exchange: tuple[dist.Work, torch.Tensor] | None = None

    def before_train(self, runner: Runner) -> None:
        """Catch the signals, unless this is not the main thread, which alone can."""
        if is_distributed():
            self._group = dist.new_group(backend='gloo')
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}

    def after_train(self, runner: Runner) -> None:
        """Give the signals their former meaning."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict[str, Any] | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Save and stop if a signal has come, where no accumulated gradients would be lost.

        Raises:
            Interrupted: After saving.
        """
        number = self._agreed()
        if number and runner.optim_wrapper.should_update():
            meta = dict(epoch=runner.epoch, iter=runner.iter + 1)
            runner.save_checkpoint(str(runner.checkpoint_folder), self.filename, meta=meta, by_epoch=False)
            self._end(runner, number)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict[str, Any] | None = None, outputs: Any = None
    ) -> None:
        """Save the end of the epoch, whose validation is repeated after resuming, and stop if a signal has come."""
        if self._may_stop(runner):
            runner.message_hub.update_info(VALIDATION_DUE, True)
            self.stop_between_epochs(runner)

    def stop_between_epochs(self, runner: Runner) -> None:
        """Save and stop between two epochs if this rank was signalled; other ranks may not have been.

        A sharded model needs all ranks to be saved, and stops after the next iteration, on which they agree.

        Raises:
            Interrupted: After saving.
        """
        if self._may_stop(runner):
            if is_main_process():
                meta = dict(epoch=runner.epoch, iter=runner.iter)
                runner.write_checkpoint(str(runner.checkpoint_folder), self.filename, meta=meta, by_epoch=False)
            self._end(runner, self.received)

    def _may_stop(self, runner: Runner) -> bool:
        return bool(self.received) and not is_sharded(runner.model)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if number == signal.SIGINT and self.received == number and now - self._when > _IMPATIENCE:
            raise KeyboardInterrupt
        if not self.received:
            self.received, self._when = number, now

    def _agreed(self) -> int:
        """Return the signal on which all ranks agreed one iteration ago, 0 if there was none."""
        if self._group is None:
            return self.received
        agreed = 0
        if self._exchange is not None:
            work, numbers = self._exchange
            work.wait()
            agreed = int(numbers)
        numbers = torch.tensor(self.received)
        self._exchange = dist.all_reduce(numbers, dist.ReduceOp.MAX, self._group, async_op=True), numbers
        return agreed

    def _end(self, runner: Runner, number: int) -> None:
        path = runner.checkpoint_folder / self.filename
        if is_main_process():
            runner.logger.warning(
                f'stopped by {signal.Signals(number).name}; everything is in {path}: continue with --resume'
            )
        raise Interrupted(number)


def init_worker(worker: int, init: Callable[[int], None] | None = None) -> None:
    """Initialise a loader's worker so that it outlives signals that are meant for the process it works for.

    A terminal and Slurm send signals to all processes of a job. A worker that obeyed would end the training with an
    error before the checkpoint of :class:`InterruptionHook` is written. The process of its loader can still end it.

    Args:
        worker: Number of the worker.
        init: Further function to call with this number.
    """
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    loader = multiprocessing.parent_process()  # not the parent of this process, where that is a server of forks
    assert loader is not None
    threading.Thread(target=_obey, args=(loader.pid,), daemon=True).start()
    if init is not None:
        init(worker)


def _obey(loader: int) -> None:
    """End this process once that of its loader terminates it."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != loader:
        pass
    os._exit(0)
