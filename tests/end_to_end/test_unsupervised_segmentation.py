"""Unsupervised segmentation through the Runner, the tools and the inferencer."""

import csv
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmsigma.apis.cluster_segmenter import ClusterSegmenter
from mmsigma.apis.launch import build_runner
from mmsigma.registry import MODELS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config
from tests.scripts import ROOT, launch

DAVIS = ROOT.parent / 'shared' / 'data' / 'davis'
CONFIG = ROOT / 'configs' / 'demo' / 'unsupervised_segmentation_tiny_demo.py'
OPTIONS = dict(num_workers=0, num_clusters=('gt', 3), seeds=(0, 1))


@pytest.fixture(scope='module')
def masked_set(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('masked') / 'set'
    return make_demo_dataset(root, num_videos=8, val_share=0.4, num_masked=3)


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    """Random weights under the names of pre-training, in which the backbone is not alone."""
    model = MODELS.build(load_config(CONFIG).model)
    state = {**model.state_dict(), 'neck.mask_token': torch.zeros(1)}
    torch.save({'state_dict': state}, tmp_path / 'weights.pth')
    return tmp_path / 'weights.pth'


def configure(data_root: Path, work_dir: Path, checkpoint: Path, **options) -> Config:
    cfg = load_config(CONFIG, {**OPTIONS, 'data_root': str(data_root), **options})
    cfg.work_dir, cfg.load_from, cfg.experiment_name = str(work_dir), str(checkpoint), uuid.uuid4().hex
    return cfg


def read_rows(work_dir: Path) -> list[dict[str, str]]:
    (path,) = work_dir.rglob('unsupervised_segmentation.csv')
    with path.open() as file:
        return list(csv.DictReader(file))


def test_runner_on_the_demo_set(masked_set, checkpoint, tmp_path):
    result = build_runner(configure(masked_set, tmp_path / 'run', checkpoint)).test()
    rows = read_rows(tmp_path / 'run')
    assert result['segmentation/num_clips'] == len(rows) == 3
    for name in ('clustering', 'overclustering3'):
        mean = np.mean([float(row[name]) for row in rows])
        assert result[f'segmentation/{name}_mIoU'] == pytest.approx(mean, abs=0.006)
    assert result['segmentation/overclustering3_mIoU'] >= result['segmentation/background_floor'] - 1e-9
    assert all(len(row['frames'].split()) == 8 for row in rows)
    again = build_runner(configure(masked_set, tmp_path / 'again', checkpoint)).test()
    assert again == result
    by_frame = build_runner(configure(masked_set, tmp_path / 'frame', checkpoint, level='frame')).test()
    jointly = build_runner(configure(masked_set, tmp_path / 'dataset', checkpoint, level='dataset')).test()
    assert len({r['segmentation/clustering_mIoU'] for r in (result, by_frame, jointly)}) == 3


def test_colours_of_frames(masked_set, checkpoint, tmp_path):
    cfg = configure(masked_set, tmp_path / 'run', checkpoint)
    cfg.model.backbone = dict(type='ColourEncoder', stride=4)
    cfg.model.data_preprocessor.update(mean=(0, 0, 0), std=(255, 255, 255))
    cfg.load_from = None
    result = build_runner(cfg).test()
    assert result['segmentation/num_clips'] == 3


@pytest.mark.skipif(not DAVIS.is_dir(), reason='DAVIS is not at hand')
def test_runner_on_davis(checkpoint, tmp_path):
    cfg = configure(DAVIS, tmp_path / 'run', checkpoint)
    cfg.test_dataloader.dataset.update(year=2016, split='dev', videos=['dog', 'libby'])
    result = build_runner(cfg).test()
    rows = read_rows(tmp_path / 'run')
    assert [row['video'] for row in rows] == ['dog', 'libby'] and {row['ids'] for row in rows} == {'2'}
    floor = np.mean([(100 - float(row['foreground'])) / 2 for row in rows])
    assert result['segmentation/background_floor'] == pytest.approx(floor, abs=0.01)


@pytest.mark.slow
def test_two_processes_of_the_tool_equal_one(masked_set, checkpoint, tmp_path):
    one = build_runner(configure(masked_set, tmp_path / 'one', checkpoint)).test()
    cfg = configure(masked_set, tmp_path / 'two', checkpoint)
    cfg.dump(tmp_path / 'two.py')
    output = launch('tools/dist_test.sh', tmp_path / 'two.py', checkpoint, 2, '--work-dir', tmp_path / 'two')
    for name, value in one.items():
        assert f'{name} {value:.4g}' in output
    assert read_rows(tmp_path / 'two') == read_rows(tmp_path / 'one')


def test_inferencer(masked_set, checkpoint, tmp_path):
    inferencer = ClusterSegmenter(CONFIG, checkpoint, num_clusters=4, device='cpu')
    folder = sorted((masked_set / 'JPEGImages' / '480p').iterdir())[0]
    from_folder = inferencer(folder)
    assert from_folder.clusters.shape == (8, 28, 28) and from_folder.clusters.max() == 3
    assert from_folder.frame_inds[0] == 0 and from_folder.frame_inds[-1] == len(list(folder.iterdir())) - 1
    from_video = inferencer(masked_set / 'videos' / f'{folder.name}.mp4')
    assert from_video.frame_inds == from_folder.frame_inds
    assert from_video.overlay().shape == from_video.frames.shape
    colours = np.unique(from_video.overlay(opacity=1.0).reshape(-1, 3), axis=0)
    assert len(colours) == 5  # of four clusters and their outlines
    from_video.write_overlay(tmp_path / 'clusters.mp4')
    assert (tmp_path / 'clusters.mp4').stat().st_size > 1000
    with pytest.raises(FileNotFoundError, match='no video at'):
        inferencer(tmp_path / 'nothing.mp4')
