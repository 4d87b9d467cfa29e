"""Stored features of the teacher equal those that it computes in a step, where it sees the same frames."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmsigma.apis.teacher_maps import write_teacher_maps
from mmsigma.io.frame_array import write_frame_array
from mmsigma.registry import DATASETS, MODELS
from mmsigma.utils.config import load_config

TEACHER = dict(type='FrozenEncoderTarget', model_name='resnet18', weights='random', stage=3, img_size=None, grid=(2, 3))


@pytest.fixture
def cfg(tmp_path: Path) -> Config:
    """SIGMA with a random teacher on two videos of 32 x 48, in whole frames."""
    rng = np.random.default_rng(0)
    for name in ('a', 'b'):
        frames = rng.integers(0, 256, (12, 32, 48, 3), dtype=np.uint8)
        (tmp_path / 'videos').mkdir(exist_ok=True)
        write_frame_array(tmp_path / 'videos' / f'{name}.npy', frames, 12)
    (tmp_path / 'videos' / 'list.txt').write_text('a.npy\nb.npy\na.npy\n')
    backbone = dict(type='VideoVisionTransformer', img_size=(32, 48), num_frames=4, patch_size=16)
    model = dict(
        type='mmsigma.SIGMA',
        data_preprocessor=dict(type='VideoDataPreprocessor'),
        backbone={**backbone, 'arch': dict(embed_dims=24, depth=1, num_heads=2)},
        neck=dict(type='MaskedVideoDecoder', embed_dims=24, depth=1, num_heads=2),
        target=TEACHER,
        head=dict(type='PrototypeHead', num_prototypes=8),
    )
    sampling = dict(type='SampleStridedClip', clip_len=4, frame_interval=2)
    pipeline = [
        dict(type='ReadClip', sampling=sampling),
        dict(type='TubeMask', grid=(2, 2, 3), mask_ratio=0.5),
        dict(type='PackVideoInputs'),
    ]
    folder = str(tmp_path / 'videos')
    dataset = dict(type='VideoDataset', data_root=folder, ann_file='list.txt', pipeline=pipeline)
    return Config(dict(model=model, train_dataloader=dict(dataset=dataset)))


def with_maps(cfg: Config, folder: Path) -> Config:
    stored = Config(cfg.to_dict())
    stored.model.target = dict(type='StoredTarget', out_channels=256, grid=(2, 3))
    pipeline = stored.train_dataloader.dataset.pipeline
    videos = cfg.train_dataloader.dataset.data_root
    load = dict(type='LoadTargetMaps', folder=str(folder), videos=videos, grid=(2, 3))
    stored.train_dataloader.dataset.pipeline = [*pipeline[:1], load, *pipeline[1:]]
    return stored


def loss_of(cfg: Config, state: dict[str, Any] | None) -> tuple[Tensor, dict[str, Any]]:
    """Loss of two clips, and the weights of the model."""
    model = MODELS.build(cfg.model)
    if state:
        model.load_state_dict(state)
    np.random.seed(0)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = pseudo_collate([dataset[0], dataset[1]])
    found = model(**model.data_preprocessor(batch, training=True), mode='loss')
    return sum(value for name, value in found.items() if name.startswith('loss')), model.state_dict()


def test_stored_features_are_those_of_the_teacher(cfg: Config, tmp_path: Path) -> None:
    torch.save(timm.create_model('resnet18').state_dict(), tmp_path / 'teacher.pth')
    cfg.model.target.weights = str(tmp_path / 'teacher.pth')
    expected, state = loss_of(cfg, None)
    assert write_teacher_maps(cfg, tmp_path / 'maps') == (2, 0)
    assert np.load(tmp_path / 'maps' / 'b.npy.npy').shape == (12, 2, 3, 256)
    found, _ = loss_of(with_maps(cfg, tmp_path / 'maps'), state)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0)


def test_what_is_there_is_kept_and_what_is_damaged_is_counted(
    cfg: Config, tmp_path: Path, warnings_logged: list[str]
) -> None:
    write_teacher_maps(cfg, tmp_path / 'maps', every=5)
    before = (tmp_path / 'maps' / 'a.npy.npy').stat().st_mtime_ns
    assert len(np.load(tmp_path / 'maps' / 'a.npy.npy')) == 3  # of frames 0, 5 and 10
    (tmp_path / 'videos' / 'c.npy').write_bytes(b'nothing')
    (tmp_path / 'videos' / 'list.txt').write_text('a.npy\nc.npy\n')
    assert write_teacher_maps(cfg, tmp_path / 'maps', every=5) == (1, 1)
    assert (tmp_path / 'maps' / 'a.npy.npy').stat().st_mtime_ns == before
    assert any('c.npy has no maps' in text for text in warnings_logged)
    with pytest.raises(ValueError, match=r'made differently \(every: 5 there, 2 now\)'):
        write_teacher_maps(cfg, tmp_path / 'maps', every=2)


def test_frames_are_resized_for_the_teacher(cfg: Config, tmp_path: Path) -> None:
    write_teacher_maps(cfg, tmp_path / 'maps', short_side=64)
    assert np.load(tmp_path / 'maps' / 'a.npy.npy', mmap_mode='r').shape[1:] == (4, 6, 256)
    assert json.loads((tmp_path / 'maps' / 'maps.json').read_text())['short_side'] == 64


def test_a_config_without_teacher_is_refused(cfg: Config, tmp_path: Path) -> None:
    cfg.model.target = dict(type='PixelTarget')
    with pytest.raises(ValueError, match='there is no teacher whose maps to write'):
        write_teacher_maps(cfg, tmp_path / 'maps')


def test_samples_without_maps_are_refused(cfg: Config) -> None:
    cfg.model.target = dict(type='StoredTarget', out_channels=256, grid=(2, 3))
    with pytest.raises(ValueError, match='put LoadTargetMaps before PackVideoInputs'):
        loss_of(cfg, None)


def test_command_and_config(cfg: Config, tmp_path: Path, run_tool) -> None:
    """What the command writes for sigma_lite0 is what sigma_lite0_stored reads."""
    for name in ('a', 'b'):
        frames = np.random.default_rng(1).integers(0, 256, (30, 128, 160, 3), dtype=np.uint8)
        write_frame_array(tmp_path / 'videos' / f'{name}.npy', frames, 30)
    options = [f'data_root={tmp_path / "videos"}', 'teacher_weights=random']
    config = 'configs/evidence/sigma_lite0.py'
    done = run_tool(
        'tools/cache_teacher.py', config, '--out', tmp_path / 'maps', '--every', '8', '--cfg-options', *options
    )
    assert '2 videos have maps' in done.output
    stored = load_config(
        'configs/evidence/sigma_lite0_stored.py',
        dict(data_root=str(tmp_path / 'videos'), maps=str(tmp_path / 'maps'), batch_size=2, num_workers=0),
    )
    found, _ = loss_of(stored, None)
    assert found.isfinite()
