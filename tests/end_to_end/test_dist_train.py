"""dist_train.sh with gloo processes."""

import uuid
from pathlib import Path

import pytest
import torch

from mmsigma.apis.launch import build_runner
from mmsigma.utils.config import load_config
from tests.end_to_end.conftest import tiny
from tests.scripts import ROOT, launch


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


@pytest.mark.slow
def test_groups_of_two_processes_are_those_of_one(demo_set, tmp_path):
    """GTA: one process that accumulates the gradients of two groups makes the steps of two with a group each."""
    config = ROOT / 'configs' / 'demo' / 'gta_tiny_demo.py'
    options = {
        'data_root': demo_set,
        'num_workers': 0,
        'epochs': 2,
        'num_steps': 6,
        'batch_size': 2,
        'groups_per_epoch': 3,
        'model.neck.dropout': 0.0,
        'model.data_preprocessor.brightness': 0.0,
        'model.data_preprocessor.contrast': (1, 1),
        'default_hooks.checkpoint.interval': 1,
    }
    arguments = ['--seed', 3, '--cfg-options', *(f'{key}={value}' for key, value in options.items())]
    launch('tools/dist_train.sh', config, 2, '--work-dir', tmp_path / 'two', *arguments)
    one = load_config(config, {**options, 'data_root': str(demo_set), 'groups_per_epoch': 6})
    one.optim_wrapper.accumulative_counts = 2
    one.randomness = dict(seed=3)
    one.work_dir, one.experiment_name = str(tmp_path / 'one'), uuid.uuid4().hex
    build_runner(one).train()
    before, expected, actual = (
        torch.load(tmp_path / name, weights_only=True)['state_dict']
        for name in ('one/epoch_1.pth', 'one/epoch_2.pth', 'two/epoch_2.pth')
    )
    # each batch is normalised by itself, and running statistics are those of the batches of one process
    parameters = [name for name in expected if 'running_' not in name and 'num_batches' not in name]
    for name in parameters:
        torch.testing.assert_close(actual[name], expected[name], atol=1e-5, rtol=0, msg=name)
        assert (expected[name] - before[name]).abs().max() > 1e-4, name
