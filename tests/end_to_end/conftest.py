"""A small demo dataset and a config small enough to train in a second."""

import uuid
from pathlib import Path

import pytest
from mmengine.config import Config

from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def demo_set(tmp_path_factory) -> Path:
    return make_demo_dataset(tmp_path_factory.mktemp('demo') / 'set', num_videos=20, val_share=0.2, num_masked=0)


@pytest.fixture
def tiny_config(demo_set, tmp_path) -> Config:
    """16 videos in batches of 4: 4 steps per epoch, 2 epochs."""
    return tiny(demo_set, tmp_path / 'run')


def tiny(data_root: Path, work_dir: Path, **options) -> Config:
    options = {
        'data_root': str(data_root),
        'epochs': 2,
        'batch_size': 4,
        'num_workers': 0,
        'num_samples': 1,
        'model.backbone.arch': dict(embed_dims=32, depth=2, num_heads=2),
        'model.backbone.drop_path_rate': 0.1,
        'model.neck.depth': 1,
        'model.target.hidden_channels': [32],
        'model.head.num_prototypes': 16,
        **options,
    }
    cfg = load_config(ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py', options)
    cfg.work_dir = str(work_dir)
    # loggers and visualizers are shared by name, and the default name is the second of the start
    cfg.experiment_name = uuid.uuid4().hex
    return cfg
