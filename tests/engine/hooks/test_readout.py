"""Reading of outputs at the logging interval."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub

from mmsigma.engine.hooks import DeferredRuntimeInfoHook, readout
from tests.engine.fakes import FakeRunner


def history(steps: int, interval: int, name: str) -> tuple[list[int], dict[str, list[float]]]:
    """Return after how many iterations something had been recorded, and what was recorded in the end."""
    hook, hub, recorded = DeferredRuntimeInfoHook(), MessageHub.get_instance(name), []
    runner = FakeRunner(hooks=[LoggerHook(interval=interval)], train_dataloader=range(steps), message_hub=hub)
    before = 0
    for batch_idx in range(steps):
        outputs = dict(loss=torch.tensor(batch_idx / 3), share=batch_idx)
        hook.after_train_iter(runner, batch_idx, outputs=outputs)
        now = len(hub.log_scalars['train/loss'].data[0]) if 'train/loss' in hub.log_scalars else 0
        recorded += [batch_idx + 1] if now != before else []
        before = now
    return recorded, {key: buffer.data[0].tolist() for key, buffer in hub.log_scalars.items()}


def test_outputs_on_a_gpu_are_read_when_they_are_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    every, expected = history(7, 3, 'every')
    assert every == [1, 2, 3, 4, 5, 6, 7]
    assert expected['train/loss'] == [torch.tensor(number / 3).item() for number in range(7)]
    monkeypatch.setattr(readout, 'reads_every_iteration', lambda model: False)
    some, found = history(7, 3, 'some')
    assert some == [3, 6, 7]  # the last one is the end of the epoch
    assert found == expected


def test_nothing_is_missing_in_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readout, 'reads_every_iteration', lambda model: False)
    hook, hub = DeferredRuntimeInfoHook(), MessageHub.get_instance('checkpoint')
    runner = FakeRunner(hooks=[], train_dataloader=range(9), message_hub=hub)
    hook.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(0.5)))
    assert not hub.log_scalars
    hook.before_write_checkpoint(runner)
    assert hub.log_scalars['train/loss'].current() == 0.5 and not hook.pending


def test_scalars_are_read_in_order_and_exactly():
    values = [torch.tensor([1 / 3]), 2, torch.tensor(3, dtype=torch.int64), SimpleNamespace]
    assert readout.read_scalars(values) == [torch.tensor(1 / 3).item(), 2, 3.0, SimpleNamespace]
