"""Configs of Mask-VOS hold the paper's numbers, build, and differ in what they say."""

from pathlib import Path

import pytest
import torch

from mmsigma.models import MaskVOS
from mmsigma.registry import MODELS, PARAM_SCHEDULERS, TRANSFORMS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config

FOLDER = Path(__file__).resolve().parents[1] / 'configs' / 'mask_vos'
CONFIGS = sorted(FOLDER.glob('*.py'))
RECIPES = [path for path in CONFIGS if not path.stem.endswith('davis17')]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_every_config(path: Path) -> None:
    cfg = load_config(path)
    check_config(cfg)
    assert path.read_text().startswith('# ')
    assert len(path.read_text().splitlines()) <= 12 or path.stem == 'r18_ytvos'


@pytest.mark.parametrize('name', ['r18_ytvos', 'r50_ytvos', 'anchor_r18_ytvos', 'r18_ytvos_corr', 'r18_ytvos_seg'])
def test_builds(name: str) -> None:
    cfg = load_config(FOLDER / f'{name}.py')
    model = MODELS.build(cfg.model)
    assert isinstance(model, MaskVOS)
    assert (model.reader is None) == name.endswith('_corr') and (model.correspondence is None) == name.endswith('_seg')
    for step in cfg.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)
    assert any(hook.type == 'ReclusterHook' for hook in cfg.custom_hooks) == (not name.endswith('_corr'))


def test_recipe_of_the_paper() -> None:
    cfg = load_config(FOLDER / 'r18_ytvos.py')
    hook = cfg.custom_hooks[-1]
    assert (cfg.train_cfg.max_epochs, hook.start, hook.interval) == (400, 300, 10)
    assert (cfg.optim_wrapper.optimizer.type, cfg.optim_wrapper.optimizer.lr) == ('Adam', 1e-4)
    halving, constant = cfg.param_scheduler
    assert (halving.step_size, halving.gamma, halving.end) == (100, 0.5, 300)
    # 1e-4 halved after 100 and 200 epochs, and 1e-5 from epoch 300 on
    assert constant.begin == 300 and 1e-4 * 0.5**2 * constant.factor == pytest.approx(1e-5)
    correspondence = cfg.model.correspondence
    assert (correspondence.short_weight, correspondence.long_weight) == (0.1, 0.5)
    assert (cfg.model.segmentation.num_rounds, cfg.model.memory.num_rounds, cfg.model.memory.num_context) == (1, 3, 20)
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 16
    pipeline = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert pipeline['ReadClip'].sampling.min_gap == 5
    assert (pipeline['ScaleCropFlip'].size, tuple(pipeline['ScaleCropFlip'].short_side)) == (256, (256, 320))
    assert tuple(pipeline['SecondView'].zoom) == (0.5, 1.0)


@pytest.mark.parametrize('count', [2, 3, 8, 10])
def test_numbers_of_clusters(count: int) -> None:
    hook = load_config(FOLDER / f'r18_ytvos_m{count}.py').custom_hooks[-1]
    assert (hook.settings.num_clusters, hook.start, hook.interval) == (count, 300, 10)


@pytest.mark.parametrize(('name', 'interval'), [('update1', 1), ('update5', 5), ('update20', 20), ('once', 100)])
def test_update_periods(name: str, interval: int) -> None:
    assert load_config(FOLDER / f'r18_ytvos_{name}.py').custom_hooks[-1].interval == interval


def test_step_reaches_sampling_and_clustering() -> None:
    cfg = load_config(FOLDER / 'r18_ytvos_m3.py', dict(step=5))
    assert cfg.train_dataloader.dataset.pipeline[0].sampling.step == cfg.custom_hooks[-1].settings.step == 5


def test_learning_rates_over_the_epochs() -> None:
    cfg = load_config(FOLDER / 'r18_ytvos.py')
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [PARAM_SCHEDULERS.build(dict(item, optimizer=optimizer)) for item in cfg.param_scheduler]
    rates = []
    for _ in range(cfg.train_cfg.max_epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    assert rates == pytest.approx([1e-4] * 100 + [5e-5] * 100 + [2.5e-5] * 100 + [1e-5] * 100)
