"""Sharding, compilation and recomputation."""

from pathlib import Path

import pytest
import torch

from mmsigma.apis.launch import build_runner
from mmsigma.engine import TransformerOptimWrapperConstructor
from mmsigma.registry import MODELS
from tests.end_to_end.conftest import ROOT, tiny
from tests.scripts import launch


@pytest.mark.slow
def test_fsdp_trains_with_two_processes(demo_set, tmp_path):
    options = {'model.backbone.drop_path_rate': 0.0, 'model.backbone.with_cp': True}
    cfg = tiny(demo_set, tmp_path / 'run', epochs=1, batch_size=2, **options)
    cfg.dump(tmp_path / 'plain.py')
    sharded = tmp_path / 'sharded.py'
    sharded.write_text(f"_base_ = ['plain.py', '{ROOT}/configs/_base_/strategies/fsdp.py']\n")
    launch('tools/dist_train.sh', sharded, 2, '--work-dir', tmp_path / 'run')
    log = next((tmp_path / 'run').glob('*/*.log')).read_text()
    assert 'FullyShardedDataParallel' in log
    # mmengine's FlexibleRunner pickles its scalar histories, so only a trusted load reads the file
    content = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=False)
    model = MODELS.build(cfg.model)
    expected = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in content['state_dict'].items()} == expected
    groups = TransformerOptimWrapperConstructor(cfg.optim_wrapper).groups(model, lr=1e-3, weight_decay=0.05)
    assert all(len(group['names']) > 10 for group in groups)
    found, expected = (
        {group['weight_decay']: sorted(group['names']) for group in settings}
        for settings in (content['optimizer']['param_groups'], groups)
    )
    assert found == expected and found.keys() == {0.0, 0.05}


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
