"""Recipes of GTA on a folder of videos without any label, and on an index of segments."""

import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmsigma.apis.launch import build_runner
from mmsigma.datasets.alignment.segment_index import SegmentedVideo, write_segment_index
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config
from tests.datasets.clips import write_video
from tests.end_to_end.conftest import ROOT


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Four, of lengths that differ fourteenfold."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    for name, length in dict(a=28, b=20, c=9, d=2).items():
        write_video(folder / f'{name}.mp4', length)
    return folder


def small(name: str, work_dir: Path, **options) -> Config:
    given = dict(num_workers=0, epochs=1, num_steps=6, groups_per_epoch=2, train_mode='scratch', decoder='pyav')
    cfg = load_config(ROOT / 'configs' / 'gta' / f'{name}.py', {**given, **options})
    check_config(cfg)
    cfg.work_dir, cfg.experiment_name = str(work_dir), uuid.uuid4().hex
    cfg.model.backbone = dict(type='ResNetEncoder', depth=18, out_stage=3)
    cfg.model.neck.update(conv_channels=(8,), fc_channels=(8,))
    cfg.model.data_preprocessor.size = 32
    return cfg


def test_a_folder_without_labels(videos: Path, tmp_path: Path) -> None:
    cfg = small('gta_penn_action', tmp_path / 'run', data_root=str(videos), ann_file_train='')
    runner = build_runner(cfg)
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.train()
    assert runner.iter == 2 and any(not torch.equal(value, before[n]) for n, value in runner.model.named_parameters())


def test_segments_are_embedded_and_classified(videos: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ('train', 'val'):
        segments = [
            SegmentedVideo('a.mp4', f'{part} 0', 1, ((10, 16, 6), (0, 5, 7), (16, 19, -1))),
            SegmentedVideo('b.mp4', f'{part} 1', 1, ((12, 20, 6), (int(rng.integers(4)), 6, 7))),
            SegmentedVideo('a.mp4', f'{part} 2', 0, ((0, 9, 99), (9, 20, 3))),
        ]
        write_segment_index(videos / f'gym99_{part}_organised.json', segments, {})
    cfg = small('tcn_finegym', tmp_path / 'run', data_root=str(videos), fine_stride=2)
    runner = build_runner(cfg)
    runner.train()
    metrics = runner.test()
    assert metrics.keys() == {f'alignment/fine_svm{event}' for event in ('', '/VT', '/FX')}
    assert all(0 <= value <= 100 for value in metrics.values())
