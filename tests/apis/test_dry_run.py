"""What training takes, from a few steps of it."""

import logging
import time
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger

from mmsigma.apis.dry_run import dry_run
from mmsigma.apis.models import load_model
from mmsigma.utils.config import load_config

REFERENCE = time.localtime(1e9)
CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'evidence' / 'rendered_mlp.py'


def small(folder: Path, **options):
    cfg = load_config(CONFIG, dict(clips_per_epoch=12, batch_size=4, epochs=5, num_workers=0, **options))
    cfg.work_dir, cfg.launcher, cfg.resume = str(folder / 'run'), 'none', False
    return cfg


def test_costs_are_those_of_the_config(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.ones(1 << 28)  # what the process had before does not hide what a step takes
    cost = dry_run(small(tmp_path), num_steps=3)
    assert (cost.clips, cost.steps, cost.epochs, cost.frozen) == (4, 3, 5, 0)
    twice = dry_run(small(tmp_path, **{'model.backbone.arch.depth': 8}), num_steps=2)
    assert cost.trainable > 2e6 and twice.trainable > cost.trainable
    # four more blocks of 192 channels for 64 visible tokens: 12 C^2 multiplications each, and three times for gradients
    blocks = 4 * 64 * 12 * 192**2 * 2 * 3
    attention = 4 * 2 * 64**2 * 192 * 2 * 3
    assert twice.flops - cost.flops == pytest.approx(blocks + attention, rel=0.1)
    assert cost.seconds > 0 and cost.waiting >= 0 and cost.memory > 0
    lines = cost.describe().splitlines()
    assert lines[0].startswith(f'parameters  {cost.trainable / 1e6:.2f} M trainable') and len(lines) == 6
    assert list(tmp_path.iterdir()) == []


def test_one_after_the_other_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the same second share nothing, of which the first leaves no folder."""
    monkeypatch.setattr('time.localtime', lambda *_: REFERENCE)
    for _ in range(2):
        assert dry_run(small(tmp_path), num_steps=2).steps == 3


def test_several_processes(tmp_path: Path) -> None:
    cfg = small(tmp_path)
    cfg.launcher = 'pytorch'
    with pytest.raises(ValueError, match='a dry run measures one process'):
        dry_run(cfg)


def test_an_epoch_of_one_step(tmp_path: Path) -> None:
    cfg = small(tmp_path)
    cfg.train_dataloader.batch_size = 12
    with pytest.raises(ValueError, match='an epoch has 1 step'):
        dry_run(cfg)


def test_the_log_of_the_process_survives_it(tmp_path: Path) -> None:
    """Its file is gone, and nothing is written there later."""
    dry_run(small(tmp_path), num_steps=2)
    logger = MMLogger.get_current_instance()
    assert not [handler for handler in logger.handlers if isinstance(handler, logging.FileHandler)]
    logger.warning('something else')
    load_model('mmsigma::demo/sigma_tiny_demo_mlp', device='cpu')
