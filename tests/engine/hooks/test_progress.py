"""The line of progress."""

import torch

from mmsigma.engine.hooks import ProgressHook


def test_progress_shows_chosen_outputs_and_the_share_of_waiting():
    hook = ProgressHook(keys=('loss', 'absent'))
    hook.waited, hook.worked = 1.0, 3.0
    assert hook.status(dict(loss=torch.tensor(2.5), other=torch.tensor(1.0))) == 'loss 2.5  data wait 25%'
