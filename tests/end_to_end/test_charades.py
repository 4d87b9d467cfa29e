"""The multi-label recipe on look-alike files: training, then the best of 10 clips."""

import uuid
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.apis.launch import build_runner
from mmsigma.io.video import write_mp4
from mmsigma.registry import DATASETS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config

CONFIG = Path(__file__).parents[2] / 'configs' / 'severe' / 'vitb_charades_sigma_dino.py'


def write_charades(root: Path, number: int = 6) -> None:
    """Videos of 3 seconds, red (class 4) in the first half and blue (class 9) in the second, or only one of them."""
    rows = ['id,actions']
    for index in range(number):
        first, second = index % 3 != 1, index % 3 != 2
        frames = np.full((30, 48, 64, 3), 40, np.uint8)
        frames[:15, ..., 0] += 180 * first
        frames[15:, ..., 2] += 180 * second
        write_mp4(root / 'videos' / f'V{index:04d}.mp4', frames, fps=10)
        actions = ['c004 0.00 1.49'] * first + ['c009 1.50 3.00'] * second
        rows.append(f'V{index:04d},{";".join(actions)}')
    for part in ('train', 'test'):
        (root / f'Charades_v1_{part}.csv').write_text('\n'.join(rows) + '\n')


@pytest.mark.parametrize('split', ['train', 'test'])
def test_folders_of_frames_are_read_as_documented(tmp_path, split):
    write_charades(tmp_path, 2)
    for name in ('V0000', 'V0001'):
        (tmp_path / 'rgb' / name).mkdir(parents=True)
        for number in range(1, 31):
            picture = np.full((48, 64, 3), 8 * number, np.uint8)
            cv2.imwrite(str(tmp_path / 'rgb' / name / f'{name}-{number:06d}.jpg'), picture)
    options = dict(data_root=str(tmp_path), decoder='frames', frames=True, fps=10, video_folder='rgb')
    cfg = load_config(CONFIG, options)
    check_config(cfg)
    cfg = cfg[f'{split}_dataloader'].dataset
    dataset = DATASETS.build({**cfg, 'pipeline': cfg.pipeline[:1]})
    sample = dataset[0]
    assert len(dataset) == 2 and sample['filename'].endswith('rgb/V0000')
    assert len(sample['imgs']) == 16 * (1 if split == 'train' else 10)
    brightness = [round(picture.mean() / 8) - 1 for picture in sample['imgs']]
    assert brightness == np.ravel(sample['frame_inds']).tolist()


def test_training_and_testing(tmp_path):
    write_charades(tmp_path / 'data')
    options = dict(data_root=str(tmp_path / 'data'), batch_size=3, num_workers=0, base_lr=0.16)
    cfg = load_config(CONFIG, options)
    cfg.model.backbone.update(arch=dict(embed_dims=24, depth=1, num_heads=2), img_size=32, num_frames=4)
    cfg.optim_wrapper.paramwise_cfg = dict(layer_decay=1.0)
    cfg.train_cfg.update(max_epochs=60, val_interval=60)
    cfg.param_scheduler.update(warmup=1, end=60)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        read, crop = loader.dataset.pipeline[:2]
        read.sampling.update(clip_len=4, frame_interval=3)
        crop.size = 32
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'run'), uuid.uuid4().hex
    runner = build_runner(cfg)
    runner.train()
    result = runner.test()
    assert result['multi_label/num_classes_present'] == 2
    # of 6 videos 4 have each class: a blind guess is worth about two thirds
    assert result['multi_label/mAP'] == 100.0
