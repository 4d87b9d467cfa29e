"""Signals during training: everything is saved, nothing stays behind, and schedulers understand the exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from mmsigma.engine.hooks.interruption import Interrupted, InterruptionHook
from mmsigma.registry import METRICS
from tests.engine.toy_runs import Numbers, Toy, toy_run


class Signal(Hook):
    """Signals this process in one iteration of training or validation, as a scheduler would."""

    def __init__(self, number: int, iteration: int = -1, validation: int = -1) -> None:
        self.number, self.iteration, self.validation = number, iteration, validation

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.number)

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.validation:
            self.validation = -1
            os.kill(os.getpid(), self.number)


def run(folder: Path, *hooks: Hook, **changes) -> Toy:
    settings = dict(default_hooks=dict(checkpoint=None))
    with toy_run(folder, **{**settings, **changes}) as runner:
        for hook in hooks:
            runner.register_hook(hook)
        runner.train()
        return runner.model


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize('iteration', [0, 2, 3])
def test_saved_run_continues_as_if_it_had_not_been_stopped(tmp_path: Path, number: int, iteration: int) -> None:
    whole = run(tmp_path / 'whole')
    handler = signal.getsignal(number)
    with pytest.raises(Interrupted) as end:
        run(tmp_path / 'cut', Signal(number, iteration))
    signal.signal(number, handler)
    assert end.value.code == 128 + number
    content = torch.load(tmp_path / 'cut' / 'interrupted.pth', weights_only=True)
    assert content['meta']['iter'] == iteration + 1
    assert same(run(tmp_path / 'cut', resume=True), whole)


def test_accumulated_gradients_are_waited_for(tmp_path: Path) -> None:
    changes = dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), accumulative_counts=2))
    with pytest.raises(Interrupted):
        run(tmp_path, Signal(signal.SIGTERM, 2), **changes)
    assert torch.load(tmp_path / 'interrupted.pth', weights_only=True)['meta']['iter'] == 4


class Scores(Toy):
    def forward(self, inputs, mode: str = 'tensor'):
        return [{}] * len(inputs) if mode == 'predict' else super().forward(inputs, mode)


def test_validation_is_repeated(tmp_path: Path) -> None:
    @METRICS.register_module(force=True)
    class Counting(BaseMetric):
        done: list[int] = []

        def process(self, data_batch, data_samples) -> None:
            self.results.append(0)

        def compute_metrics(self, results: list) -> dict[str, float]:
            Counting.done.append(len(results))
            return dict(count=len(results))

    loader = dict(batch_size=4, num_workers=0, dataset=Numbers(), sampler=dict(type='mmengine.DefaultSampler'))
    changes = dict(val_dataloader=loader, val_cfg=dict(type='mmengine.ValLoop'))
    changes['val_evaluator'] = dict(type='Counting')
    whole = run(tmp_path / 'whole', model=Scores(), **changes)
    assert len(Counting.done) == 2
    for last in (3, 6):
        Counting.done.clear()
        folder = tmp_path / str(last)
        with pytest.raises(Interrupted):
            run(
                folder,
                Signal(signal.SIGTERM, validation=last),
                model=Scores(),
                **changes,
            )
        assert len(Counting.done) == last // 3 - 1
        assert same(run(folder, model=Scores(), resume=True, **changes), whole)
        assert len(Counting.done) == 2


def test_a_sharded_model_is_saved_where_all_ranks_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a validation, one rank alone would wait for the shares of the others."""
    monkeypatch.setattr('mmsigma.engine.hooks.interruption.is_sharded', lambda _: True)
    METRICS.register_module('Nothing', module=Nothing, force=True)
    loader = dict(batch_size=4, num_workers=0, dataset=Numbers(), sampler=dict(type='mmengine.DefaultSampler'))
    changes = dict(val_dataloader=loader, val_cfg=dict(type='mmengine.ValLoop'), val_evaluator=dict(type='Nothing'))
    whole = run(tmp_path / 'whole', model=Scores(), **changes)
    with pytest.raises(Interrupted):
        run(tmp_path / 'cut', Signal(signal.SIGTERM, validation=3), model=Scores(), **changes)
    content = torch.load(tmp_path / 'cut' / 'interrupted.pth', weights_only=True)
    assert content['meta']['iter'] == 4  # the first of the next epoch
    assert same(run(tmp_path / 'cut', model=Scores(), resume=True, **changes), whole)


class Nothing(BaseMetric):
    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict[str, float]:
        return {}


def test_second_interrupt_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hook, now = InterruptionHook(), [0.0]
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    hook._receive(signal.SIGINT, None)
    now[0] = 1.0  # torchrun's copy of the terminal's
    hook._receive(signal.SIGINT, None)
    now[0] = 3.0
    hook._receive(signal.SIGTERM, None)
    assert hook.received == signal.SIGINT
    with pytest.raises(KeyboardInterrupt):
        hook._receive(signal.SIGINT, None)


WORKERS = """
import os, signal, sys, time
from functools import partial
from torch.utils.data import DataLoader
from mmsigma.engine.hooks.interruption import init_worker
def main():
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    loader = DataLoader(range(8), num_workers=2, worker_init_fn=init_worker, multiprocessing_context='fork')
    rows = iter(loader)
    first = [next(rows).item() for _ in range(2)]  # one of each worker: both are initialised
    print('ready', flush=True)
    sys.stdin.readline()
    print(*first, *(row.item() for row in rows), flush=True)
main()
"""


def test_workers_leave_signals_to_their_parent_and_end_with_it() -> None:
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen([sys.executable, '-c', WORKERS], start_new_session=True, **pipes) as process:
        assert process.stdout.readline() == 'ready\n'
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.killpg(process.pid, number)  # as Slurm does
            time.sleep(0.2)
        output, _ = process.communicate('go on\n', timeout=60)
    assert process.returncode == 0 and output.split() == [str(number) for number in range(8)]


def test_terminated_by_the_parent() -> None:
    code = WORKERS.replace("print('ready', flush=True)", 'rows._workers[0].terminate(); rows._workers[0].join(20); '
                           'print(rows._workers[0].exitcode); os._exit(0)')  # fmt: skip
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ['0'], done.stderr
