"""A short campaign of kills; the long one is run from the command line."""

from pathlib import Path

import pytest
import torch

from tests.reliability.kill_resume import campaign, first_difference
from tests.reliability.small_runs import METHODS, make_data


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp('campaign') / 'data')


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_killed_and_resumed_equals_uninterrupted(method: str, data: Path, tmp_path: Path) -> None:
    report = campaign(method, 4, data, tmp_path, seed=1)
    assert report.faults == [] and report.kills == 4 and report.trainings >= 1


def test_differences_are_seen() -> None:
    def content(value: float) -> dict:
        history = dict(log_scalars={'train/loss': (torch.ones(2), torch.ones(2), 3)})
        state = dict(a=torch.tensor([1.0, value]))
        return dict(state_dict=state, optimizer=dict(state={0: dict(step=value)}), message_hub=history)

    assert first_difference(content(1.0), content(1.0)) == ''
    assert first_difference(content(1.0), content(1.0 + 1e-7)) == 'state_dict.a'
    changed = content(1.0)
    changed['optimizer']['state'][0]['step'] = 2.0
    assert first_difference(content(1.0), changed) == 'optimizer.state.0.step'
