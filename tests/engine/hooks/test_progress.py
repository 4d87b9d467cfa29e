"""The line of progress."""

from types import SimpleNamespace

from mmengine.logging import HistoryBuffer

from mmsigma.engine.hooks import ProgressHook


def test_progress_shows_chosen_outputs_and_the_share_of_waiting():
    hook = ProgressHook(keys=('loss', 'absent'))
    hook.waited, hook.worked = 1.0, 3.0
    history = {'train/loss': HistoryBuffer([4.0, 2.5], [1, 1]), 'train/other': HistoryBuffer([1.0], [1])}
    runner = SimpleNamespace(message_hub=SimpleNamespace(log_scalars=history))
    assert hook.status(runner) == 'loss 2.5  data wait 25%'
