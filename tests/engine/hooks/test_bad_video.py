"""Videos that cannot be read are named and counted."""

import pytest

from mmsigma.engine.hooks import BadVideoHook
from tests.engine.fakes import FakeRunner, batch


def test_bad_video_hook_names_each_once_and_counts_draws():
    hook, runner = BadVideoHook(max_share=0.5, min_draws=1), FakeRunner()
    for _ in range(3):
        hook.after_train_iter(runner, 0, data_batch=batch([('a.mp4', 'no frames')], [], []))
    assert (hook.draws, hook.failed) == (12, 3)
    assert runner.warnings == ['skipped an unreadable video: a.mp4 (no frames)']


def test_bad_video_hook_stops_only_above_its_share():
    runner = FakeRunner()
    tolerant, strict = (BadVideoHook(max_share=share, min_draws=4, interval=1) for share in (0.25, 0.2))
    data = batch([('a.mp4', 'x')], [], [])  # 1 of 4 draws failed
    tolerant.after_train_iter(runner, 0, data_batch=data)
    with pytest.raises(OSError, match='1 of 4 draws'):
        strict.after_train_iter(runner, 0, data_batch=data)
