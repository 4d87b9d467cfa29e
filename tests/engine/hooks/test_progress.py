"""The line of progress."""

from collections.abc import Iterator
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.logging import HistoryBuffer
from rich.console import Console
from rich.progress import Progress

from mmsigma.engine.hooks import ProgressHook
from mmsigma.engine.hooks.progress import Observed, fit


class Hub:
    """Scalars of a run."""

    def __init__(self, **scalars: float) -> None:
        self.log_scalars = {f'train/{name}': HistoryBuffer([value], [1]) for name, value in scalars.items()}

    def update_scalar(self, name: str, value: float) -> None:
        self.log_scalars[name] = HistoryBuffer([value], [1])


def run_of(**others: Any) -> SimpleNamespace:
    """Step 12,345 of 400,000."""
    optimizer = SimpleNamespace(param_groups=[dict(lr=1e-4), dict(lr=2.5e-4)])
    hub = Hub(loss=2.5314159, used_prototypes=2048.0)
    run = dict(iter=12344, max_iters=400000, epoch=11, max_epochs=800, optim_wrapper=optimizer, message_hub=hub)
    return SimpleNamespace(**run, world_size=1, **others)


def test_the_most_important_comes_first() -> None:
    hook = ProgressHook(keys=('loss', 'absent', 'used_prototypes'))
    hook.waited, hook.worked, hook.clips = 1.0, 3.0, 64
    parts = hook.parts(run_of(), 0.5)
    assert parts[:7] == [
        'epoch 12/800',
        'step 12345/400000',
        '2 d 5 h left',  # 193,828 s
        'loss 2.531',
        'lr 0.00025',
        '128 clips/s',
        'data wait 25%',
    ]
    assert parts[7].startswith('memory ') and parts[7].endswith(' GB') and parts[8:] == ['used_prototypes 2048']


def test_pauses_between_epochs_are_not_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The 90 s of a reclustering are no wait for data, but come again before each of the 9 other epochs."""
    hook, now = ProgressHook(), [0.0]
    monkeypatch.setattr('mmsigma.engine.hooks.progress.time.monotonic', lambda: now[0])
    hook.console = Console(file=StringIO(), width=100)
    hook.clips, hook.progress, hook._mark, hook._first, hook._last_line = 8, Progress(), 0.0, 0, 0.0
    run = run_of()
    run.iter, run.max_iters, run.epoch, run.max_epochs = 0, 100, 0, 10
    for seconds, event in [
        (90.0, hook.before_train_epoch),
        (1.0, lambda run: hook.before_train_iter(run, 0)),
        (3.0, lambda run: hook.after_train_iter(run, 0)),
    ]:
        now[0] += seconds
        event(run)
    assert (hook.between, hook.waited, hook.worked) == (90.0, 1.0, 3.0)
    parts = hook.parts(run, 4.0)
    assert parts[2] == '20 min 6 s left'  # 99 steps of 4 s and 9 pauses of 90 s
    assert 'data wait 25%' in parts and '2 clips/s' in parts
    now[0] += 60.0
    hook._finish_evaluation('epoch 1', None)
    assert (hook.between, hook.waited, hook.worked) == (150.0, 1.0, 3.0)


@pytest.mark.parametrize(('width', 'last'), [(30, 'loss 2.531'), (80, 'lr 0.00025'), (300, 'used_prototypes 2048')])
def test_lines_have_as_much_as_fits(width: int, last: str) -> None:
    hook = ProgressHook()
    hook.clips = 64
    parts = hook.parts(run_of(), 0.5)
    line = fit(parts, width)
    assert line.startswith('epoch 12/800  step 12345/400000  2 d 5 h left  loss 2.531') and line.endswith(last)
    assert len(line) <= width or last.startswith('loss')


@pytest.fixture
def terminal() -> Iterator[tuple[ProgressHook, StringIO]]:
    hook, written = ProgressHook(), StringIO()
    hook.console = Console(file=written, force_terminal=True, width=80, highlight=False)
    yield hook, written


def test_a_bar_of_80_columns(terminal: tuple[ProgressHook, StringIO], monkeypatch: pytest.MonkeyPatch) -> None:
    hook, written = terminal
    monkeypatch.setattr(ProgressHook, 'summary', staticmethod(lambda runner: 'summary'))
    runner = run_of(train_dataloader=SimpleNamespace(dataset=[], batch_size=64))
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    hook.after_train_iter(runner, 0)
    lines = hook.console.render_lines(hook.progress.get_renderable(), pad=False)
    hook.after_train(runner)
    (shown,) = (''.join(segment.text for segment in line) for line in lines)
    assert 'left  loss 2.531' in shown and len(shown) <= 80
    assert runner.message_hub.log_scalars['train/clips_per_second'].current() > 0


class Video:
    """Three frames."""

    name, frames = 'ant', (1, 2, 3)

    def read_frame(self, number: int) -> int:
        return self.frames[number]


def test_tests_of_videos_count_frames(terminal: tuple[ProgressHook, StringIO]) -> None:
    hook, _ = terminal
    videos = [Video(), Video()]
    loader = SimpleNamespace(dataset=SimpleNamespace(sequences=videos))
    runner = SimpleNamespace(test_dataloader=loader, world_size=1)
    hook.before_test_epoch(runner)
    bar, _ = hook.evaluation
    assert bar.tasks[0].total == 6
    batch = dict(inputs=[videos[0]], data_samples=[None])
    hook.before_test_iter(runner, 0, batch)
    (video,) = batch['inputs']
    assert video.name == 'ant' and [video.read_frame(number) for number in range(3)] == [1, 2, 3]
    hook.after_test_iter(runner, 0, batch)
    assert bar.tasks[0].completed == 3 and 'frames' in bar.tasks[0].description
    hook.after_test_epoch(runner, {})
    assert hook.evaluation is None


def test_other_tests_count_batches(terminal: tuple[ProgressHook, StringIO]) -> None:
    hook, _ = terminal
    loader = type('Loader', (list,), dict(dataset=None))([0, 1, 2])
    runner = SimpleNamespace(test_dataloader=loader, world_size=1)
    hook.before_test_epoch(runner)
    bar, _ = hook.evaluation
    batch = dict(inputs=[1.0])
    hook.before_test_iter(runner, 0, batch)
    hook.after_test_iter(runner, 0, batch)
    assert batch == dict(inputs=[1.0]) and (bar.tasks[0].completed, bar.tasks[0].total) == (1, 3)
    hook.after_test_epoch(runner, {})


def test_observed_videos_tell_of_frames() -> None:
    seen: list[int] = []
    video = Observed(Video(), lambda: seen.append(1))
    assert video.read_frame(1) == 2 and len(seen) == 1 and len(video.frames) == 3
