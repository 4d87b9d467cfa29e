"""Training runs of all methods that take seconds, on a generated dataset."""

import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config
from tests.scripts import ROOT


def circumstances() -> dict[str, str]:
    """Commit, processor and versions, which belong to every record of figures."""
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], cwd=ROOT, capture_output=True, text=True).stdout
    lines = Path('/proc/cpuinfo').read_text().splitlines()
    flags = next((line for line in lines if line.startswith('flags')), '')
    kind = 'AVX-512' if 'avx512f' in flags else 'AVX2' if 'avx2' in flags else 'neither'
    return dict(commit=commit.strip(), processor=f'{os.cpu_count()} cores, {kind}', torch=torch.__version__)


METHODS = ('sigma', 'mask_vos', 'gta')
_CONFIGS = {'sigma': 'sigma_tiny_demo_mlp', 'mask_vos': 'mask_vos_tiny_demo', 'gta': 'gta_tiny_demo'}
_OPTIONS: dict[str, dict[str, Any]] = {
    'sigma': {
        'epochs': 6,
        'batch_size': 4,
        'num_samples': 1,
        'model.backbone.arch': dict(embed_dims=32, depth=2, num_heads=2),
        'model.backbone.drop_path_rate': 0.1,
        'model.neck.depth': 1,
        'model.target.hidden_channels': [32],
        'model.head.num_prototypes': 16,
    },
    'mask_vos': {'batch_size': 2, 'correspondence_epochs': 1, 'joint_epochs': 2},
    'gta': {'epochs': 3, 'num_steps': 6, 'batch_size': 2, 'groups_per_epoch': 8},
}


def make_data(folder: Path) -> Path:
    """Generate 24 videos, half of them for validation."""
    return make_demo_dataset(folder, num_videos=24, val_share=0.5, num_masked=0)


def small_run(method: str, data: Path, work_dir: Path, *, num_workers: int = 1, **options: Any) -> Config:
    """Return the config of a run that saves a checkpoint after every iteration or two and can be resumed."""
    root = data / 'videos' if method == 'mask_vos' else data
    given = {'data_root': str(root), 'num_workers': num_workers, **_OPTIONS[method], **options}
    cfg = load_config(ROOT / 'configs' / 'demo' / f'{_CONFIGS[method]}.py', given)
    if method == 'gta':
        cfg.model.data_preprocessor.size = 16
        cfg.model.neck.update(conv_channels=(16,), fc_channels=(16,), out_channels=8, map_size=(4, 4))
    if method == 'mask_vos':
        crop = cfg.train_dataloader.dataset.pipeline[2]
        crop.update(size=32, short_side=(32, 40))
        cfg.train_dataloader.dataset.indices = 4
        cfg.custom_hooks[-1].settings.update(size=32, fit_frames=6, num_iters=5, num_restarts=1)
    interval = 2 if method == 'mask_vos' else 1  # its checkpoints have hundreds of MB
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=interval, max_keep_ckpts=3)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type not in ('PicturesHook',)]
    cfg.work_dir, cfg.experiment_name, cfg.resume = str(work_dir), uuid.uuid4().hex, 'auto'
    return cfg
