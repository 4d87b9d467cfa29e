"""A short campaign of kills; the long one is run from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.reliability.kill_resume import first_difference
from tests.reliability.small_runs import METHODS
from tests.scripts import ROOT


@pytest.mark.slow
@pytest.mark.parametrize('method', METHODS)
def test_killed_and_resumed_equals_uninterrupted(method: str, tmp_path: Path) -> None:
    """In a process of its own: it forks, which the threads of this one do not survive."""
    kills = 1 if method == 'mask_vos' else 2  # its steps take longest; the one is in a round
    command = [sys.executable, '-m', 'tests.reliability.kill_resume', '--kills', str(kills), '--seed', '4']
    command += ['--methods', method, '--out', str(tmp_path / 'report.json')]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, 'OMP_NUM_THREADS': '1'}, capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = json.loads((tmp_path / 'report.json').read_text())
    assert report['faults'] == [] and report['kills'] == kills and report['trainings'] >= 1
    assert report['in_rounds'] == (method == 'mask_vos')


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
