"""A tiny counter learns to count by the Runner, from files as UCFRep's."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from scipy.io import savemat

from mmsigma.apis.launch import build_runner
from mmsigma.io.video import write_mp4
from mmsigma.utils.config import load_config

CONFIG = Path(__file__).parents[2] / 'configs' / 'severe' / 'vitb_ucfrep_sigma_dino.py'


def write_repetitions(root: Path, part: str, name: str, period: int, count: int) -> None:
    """A bright bar that sweeps over the picture once per cycle."""
    frames = np.zeros((period * count + 1, 32, 32, 3), np.uint8)
    for time, frame in enumerate(frames):
        position = int((time % period) / period * 28)
        frame[:, position : position + 4] = 255
    write_mp4(root / 'videos' / f'{name}.mp4', frames, fps=10)
    bounds = np.arange(0, len(frames), period, dtype=np.uint8)[:, None] + np.uint8(1)
    (root / part).mkdir(exist_ok=True)
    label = dict(start_frame=np.uint8(1), end_frame=np.uint8(len(frames)), temporal_bound=bounds)
    savemat(root / part / f'{name}.mat', {'label': label})


@pytest.fixture(scope='module')
def ucfrep(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('ucfrep')
    for number, (period, count) in enumerate([(10, 6), (14, 5), (18, 5), (24, 4), (12, 9), (20, 6), (9, 8), (16, 8)]):
        write_repetitions(root, 'train', f'train{number}', period, count)
    for number, (period, count) in enumerate([(13, 5), (17, 6), (11, 9), (22, 5)]):
        write_repetitions(root, 'val', f'val{number}', period, count)
    return root


def tiny(root: Path, work_dir: Path, **options) -> Config:
    options = {
        'data_root': str(root),
        'img_size': 32,
        'epochs': 3,
        'batch_size': 8,
        'num_workers': 0,
        'base_lr': 2e-3,
        'train_dataloader.dataset.samples_per_video': 2,
        'default_hooks.logger.interval': 1,
        **options,
    }
    cfg = load_config(CONFIG, options)
    cfg.model.backbone.arch = dict(embed_dims=48, depth=2, num_heads=2)
    cfg.work_dir, cfg.experiment_name = str(work_dir), uuid.uuid4().hex
    return cfg


def test_a_counter_learns_to_count_and_is_reported(ucfrep, tmp_path):
    runner = build_runner(tiny(ucfrep, tmp_path / 'run'))
    before = runner.test()
    runner.train()
    (path,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    losses = [row['loss'] for row in rows if 'loss' in row]
    assert losses[-1] < 0.75 * losses[0] and {'loss_cls', 'loss_box', 'positive_share'} <= rows[0].keys()
    # 8 videos, twice per epoch, in batches of 8 that are worth 11 updates each
    moments = next(iter(runner.optim_wrapper.optimizer.state.values()))
    assert runner.iter == 6 and moments['step'] == 66

    cfg = tiny(ucfrep, tmp_path / 'test')
    cfg.load_from = str(tmp_path / 'run' / 'epoch_3.pth')
    after = build_runner(cfg).test()
    assert after['counting/MAE'] < 0.75 * before['counting/MAE']
    assert after['counting/num_videos'] == 4
    (report,) = (tmp_path / 'test').glob('*/*.json')
    assert json.loads(report.read_text())['counting/MAE'] == pytest.approx(after['counting/MAE'])
