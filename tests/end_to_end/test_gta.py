"""GTA from videos to Kendall's tau."""

import uuid
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmsigma.apis.launch import build_runner
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config
from tests.end_to_end.conftest import ROOT


@pytest.fixture(scope='module')
def paired_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 videos, of which every class has at least two to train on."""
    folder = tmp_path_factory.mktemp('gta')
    return make_demo_dataset(folder / 'set', num_videos=40, val_share=0.5, num_masked=0)


def small(data_root: Path, work_dir: Path, **options) -> Config:
    given = {
        'data_root': str(data_root),
        'num_workers': 0,
        'epochs': 1,
        'num_steps': 6,
        'batch_size': 2,
        'groups_per_epoch': 10,
    }
    given.update(options)
    cfg = load_config(ROOT / 'configs' / 'demo' / 'gta_tiny_demo.py', given)
    check_config(cfg)
    cfg.work_dir, cfg.experiment_name = str(work_dir), uuid.uuid4().hex
    cfg.model.data_preprocessor.size = 16
    cfg.model.neck.update(conv_channels=(16,), fc_channels=(16,), out_channels=8, map_size=(4, 4))
    return cfg


def test_trains_and_is_measured(paired_set: Path, tmp_path: Path) -> None:
    cfg = small(paired_set, tmp_path)
    runner = build_runner(cfg)
    runner.train()
    assert {path.name for path in tmp_path.glob('*/pictures/*')} == {'inputs.png', 'curves.png'}
    metrics = runner.test()
    assert -100 <= metrics['alignment/kendall_tau'] <= 100
    assert {'alignment/svm@1', 'alignment/progression@1', 'alignment/AP@5'} <= metrics.keys()
    again = small(paired_set, tmp_path / 'again')
    again.load_from = str(tmp_path / 'epoch_1.pth')
    assert build_runner(again).test() == pytest.approx(metrics)


def test_resumed_is_as_uninterrupted(paired_set: Path, tmp_path: Path) -> None:
    whole = small(paired_set, tmp_path / 'whole')
    whole.default_hooks.checkpoint.update(by_epoch=False, interval=4, max_keep_ckpts=-1)
    build_runner(whole).train()
    cut = small(paired_set, tmp_path / 'cut')
    cut.default_hooks.checkpoint.update(by_epoch=False, interval=4, max_keep_ckpts=-1)
    (tmp_path / 'cut').mkdir()
    (tmp_path / 'cut' / 'iter_4.pth').write_bytes((tmp_path / 'whole' / 'iter_4.pth').read_bytes())
    cut.resume = True
    build_runner(cut).train()
    last = max(int(path.stem[5:]) for path in (tmp_path / 'whole').glob('iter_*.pth'))
    states = [
        torch.load(tmp_path / run / f'iter_{last}.pth', weights_only=True)['state_dict'] for run in ('whole', 'cut')
    ]
    assert last > 4 and all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_the_order_of_phases_teaches(paired_set: Path, tmp_path: Path) -> None:
    cfg = small(paired_set, tmp_path, groups_per_epoch=45, num_steps=9, base_lr=3e-3)
    cfg.model.head = dict(type='TranscriptHead', num_labels=4 * 3, in_channels=8)
    cfg.train_dataloader.dataset.phases = 'phases'
    cfg.train_dataloader.dataset.pipeline[1].phases_per_action = 3
    check_config(cfg)
    runner = build_runner(cfg)
    runner.train()
    losses, right = (
        runner.message_hub.get_scalar(f'train/{name}').data[0] for name in ('loss_transcript', 'transcript_accuracy')
    )
    assert len(losses) == 45 and losses[-15:].mean() < 0.8 * losses[:15].mean()
    assert right[-15:].mean() > 0.7  # one of two is right by chance
