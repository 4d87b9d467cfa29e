"""dist_train.sh with gloo processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmsigma.apis.launch import build_runner
from tests.end_to_end.conftest import ROOT, tiny


@pytest.mark.slow
def test_two_processes_train_like_one(demo_set, tmp_path):
    same = {'model.backbone.drop_path_rate': 0.0}  # every process draws drop path on its own
    one = tiny(demo_set, tmp_path / 'one', **same)
    build_runner(one).train()
    two = tiny(demo_set, tmp_path / 'two', batch_size=2, **same)
    two.dump(tmp_path / 'two.py')
    environment = {**os.environ, 'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1'}
    environment.pop('PORT', None)
    command = ['bash', str(ROOT / 'tools/dist_train.sh'), str(tmp_path / 'two.py'), '2', '--work-dir', two.work_dir]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    expected = torch.load(Path(one.work_dir) / 'epoch_2.pth', weights_only=True)['state_dict']
    actual = torch.load(Path(two.work_dir) / 'epoch_2.pth', weights_only=True)['state_dict']
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, atol=1e-5, rtol=1e-3, msg=name)
