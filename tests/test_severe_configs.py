"""SEVERE's counting and multi-label recipes: checked, built, and with the numbers of paper and code."""

from pathlib import Path

import pytest
import torch

from mmsigma.registry import METRICS, MODELS, TRANSFORMS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config

FOLDER = Path(__file__).resolve().parents[1] / 'configs' / 'severe'
TASKS = [f'vitb_{data}_sigma_dino{suffix}' for data in ('ucfrep', 'charades') for suffix in ('', '_code')]
every_task = pytest.mark.parametrize('name', TASKS)


def load(name: str, **options):
    return load_config(FOLDER / f'{name}.py', options)


@every_task
def test_passes_the_check_and_builds(name):
    cfg = load(name)
    check_config(cfg)
    METRICS.build(cfg.test_evaluator)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            TRANSFORMS.build(step)
    cfg.model.backbone.arch = dict(embed_dims=24, depth=1, num_heads=2)
    model = MODELS.build(cfg.model)
    size = model.backbone.input_shape[2]
    assert {cfg.train_dataloader.dataset.pipeline[1].size, cfg.test_dataloader.dataset.pipeline[1].size} == {size}
    assert size == (112 if name.endswith('code') else 224)
    assert not any(isinstance(module, torch.nn.LayerNorm) for name, module in model.backbone.named_children())


@pytest.mark.parametrize('name', TASKS[:2])
def test_counting(name):
    cfg = load(name)
    assert cfg.model.backbone.num_frames == 32 and cfg.train_cfg.max_epochs == 100
    expected = dict(type='Adam', lr=5e-5, **(dict(weight_decay=1e-3) if name.endswith('code') else {}))
    assert cfg.optim_wrapper.optimizer == expected and 'param_scheduler' not in cfg
    assert cfg.auto_scale_lr.base_batch_size == 8 * cfg.train_dataloader.batch_size == 32
    assert cfg.train_dataloader.dataset.samples_per_video == 10 and cfg.test_dataloader.dataset.strict
    sampling = cfg.train_dataloader.dataset.pipeline[0].sampling
    assert (sampling.min_cycles, sampling.max_frames) == (2, 300)
    assert cfg.train_dataloader.dataset.pipeline[0].decoder == cfg.test_dataloader.dataset.pipeline[0].decoder == 'auto'
    assert cfg.model.num_steps == 11 and cfg.model.reference_padding == name.endswith('code')


@pytest.mark.parametrize('name', TASKS[2:])
def test_charades(name):
    cfg = load(name)
    clip_len = 32 if name.endswith('code') else 16
    assert cfg.model.get('backbone').get('num_frames') == clip_len and cfg.train_cfg.max_epochs == 57
    for loader, clips in ((cfg.train_dataloader, None), (cfg.val_dataloader, 1), (cfg.test_dataloader, 10)):
        sampling = loader.dataset.pipeline[0].sampling
        assert (sampling.clip_len, sampling.frame_interval, sampling.get('num_clips')) == (clip_len, 8, clips)
    assert cfg.test_dataloader.dataset.pipeline[1].num_crops == (3 if name.endswith('code') else 1)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, cfg.param_scheduler.end) == ('AdamW', 1e-4, 57)
    assert cfg.auto_scale_lr.base_batch_size == 8 * cfg.train_dataloader.batch_size == 16
    head = MODELS.build({**cfg.model.head, 'in_channels': 8})
    assert head.multi_label and head.num_classes == 157


@every_task
def test_options_reach_what_depends_on_them(name):
    cfg = load(name, data_root='elsewhere', decoder='torchcodec', num_workers=0)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.data_root == 'elsewhere' and loader.num_workers == 0 and not loader.persistent_workers
        assert loader.dataset.pipeline[0].decoder == 'torchcodec'
