"""Sharding, compilation and recomputation."""

from pathlib import Path

import pytest
import torch

from mmsigma.apis.launch import build_runner
from tests.end_to_end.conftest import ROOT, tiny
from tests.reliability.kill_resume import first_difference
from tests.scripts import launch


@pytest.mark.slow
def test_sharded_training_is_that_of_one_process(demo_set, tmp_path):
    """A checkpoint of two processes is continued by two, bit for bit, and by one."""
    options = {'model.backbone.drop_path_rate': 0.0, 'model.backbone.with_cp': True}
    options['default_hooks.checkpoint.interval'] = 1
    one = tiny(demo_set, tmp_path / 'one', **options)
    build_runner(one).train()
    cfg = tiny(demo_set, tmp_path / 'two', batch_size=2, **options)
    cfg.optim_wrapper.clip_grad = dict(max_norm=1000.0)
    cfg.dump(tmp_path / 'plain.py')
    sharded = tmp_path / 'sharded.py'
    sharded.write_text(f"_base_ = ['plain.py', '{ROOT}/configs/_base_/strategies/fsdp.py']\n")
    launch('tools/dist_train.sh', sharded, 2, '--work-dir', tmp_path / 'two')
    expected, whole = (load(tmp_path / name / 'epoch_2.pth') for name in ('one', 'two'))
    assert whole['state_dict'].keys() == expected['state_dict'].keys()
    for name, value in expected['state_dict'].items():
        torch.testing.assert_close(whole['state_dict'][name], value, atol=1e-4, rtol=1e-3, msg=name)
    assert list((tmp_path / 'two').glob('*/pictures/prototypes.png'))
    launch(
        'tools/dist_train.sh', sharded, 2, '--work-dir', tmp_path / 'two', '--resume', tmp_path / 'two' / 'epoch_1.pth'
    )
    resumed = load(tmp_path / 'two' / 'epoch_2.pth')
    assert first_difference(whole, resumed) == ''
    cut = tiny(demo_set, tmp_path / 'one', **options)
    cut.load_from, cut.resume = str(tmp_path / 'two' / 'earlier_1' / 'epoch_2.pth'), True
    cut.train_cfg.max_epochs = 3
    build_runner(cut).train()
    assert (tmp_path / 'one' / 'epoch_3.pth').is_file()


def load(path: Path) -> dict:
    """Content of a checkpoint of ours, which needs no trust."""
    return torch.load(path, weights_only=True)


@pytest.mark.slow
def test_compiled_training_gives_the_same_loss(demo_set, tmp_path):
    options = {'model.backbone.drop_path_rate': 0.0, 'model.backbone.arch.depth': 1}
    losses = []
    for compiled in (False, True):
        cfg = tiny(demo_set, tmp_path / str(compiled), epochs=1, **options)
        if compiled:
            cfg.compile = dict(backend='aot_eager')  # traces as the default does, without its minutes of C++
        runner = build_runner(cfg)
        runner.train()
        losses.append(runner.message_hub.get_scalar('train/loss').data[0])
        assert Path(cfg.work_dir, 'epoch_1.pth').is_file()
    torch.testing.assert_close(losses[1], losses[0], atol=1e-3, rtol=1e-4)
