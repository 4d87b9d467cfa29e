"""dist_train.sh with gloo processes."""

from pathlib import Path

import pytest
import torch

from mmsigma.apis.launch import build_runner
from tests.end_to_end.conftest import tiny
from tests.scripts import launch


@pytest.mark.slow
def test_two_processes_train_like_one(demo_set, tmp_path):
    same = {'model.backbone.drop_path_rate': 0.0}  # every process draws drop path on its own
    one = tiny(demo_set, tmp_path / 'one', **same)
    build_runner(one).train()
    two = tiny(demo_set, tmp_path / 'two', batch_size=2, **same)
    two.dump(tmp_path / 'two.py')
    launch('tools/dist_train.sh', tmp_path / 'two.py', 2, '--work-dir', two.work_dir)
    expected = torch.load(Path(one.work_dir) / 'epoch_2.pth', weights_only=True)['state_dict']
    actual = torch.load(Path(two.work_dir) / 'epoch_2.pth', weights_only=True)['state_dict']
    for name, value in expected.items():
        torch.testing.assert_close(actual[name], value, atol=1e-5, rtol=1e-3, msg=name)
