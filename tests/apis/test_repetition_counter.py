"""Counts of a user's own videos."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.apis import RepetitionCounter
from mmsigma.datasets.transforms import Letterbox
from mmsigma.io.tables import read_csv
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

CONFIG = 'mmsigma::severe/vitb_ucfrep_sigma_dino'


def small() -> dict:
    arch = dict(_delete_=True, embed_dims=24, depth=1, num_heads=2)
    return {'img_size': 16, 'model.backbone.arch': arch, 'model.backbone.patch_size': 8}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    cfg = load_config(CONFIG, small())
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(cfg=cfg.pretty_text)), tmp_path / 'run.pth')
    return tmp_path / 'run.pth'


@pytest.fixture
def video() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (50, 24, 32, 3), dtype=np.uint8)


def test_counts_are_those_of_the_model(checkpoint: Path, video: np.ndarray, tmp_path: Path) -> None:
    count = RepetitionCounter(CONFIG, checkpoint, options=small(), device='cpu')
    frames = Letterbox(16)(dict(imgs=list(video)))['imgs']
    inputs = torch.from_numpy(frames).permute(3, 0, 1, 2)
    (expected,) = count.model.test_step(dict(inputs=[inputs], data_samples=[BaseDataElement()]))
    found = count(video)
    assert (found.count, found.num_frames, found.name) == (expected.pred_count, 50, 'frames')
    assert found.seconds == pytest.approx(50 / 24)
    assert [one.count for one in count([video, iter(video)])] == [found.count] * 2
    paths = found.save(tmp_path / 'out')
    assert int(np.load(paths[0])) == found.count
    assert read_csv(paths[1])[1][0][1]['count'] == str(found.count)
    assert found.frames.shape == (8, 16, 16, 3)


def test_from_the_checkpoint_of_a_run_alone(checkpoint: Path, video: np.ndarray) -> None:
    alone = RepetitionCounter(checkpoint, device='cpu', precision='bfloat16')
    assert alone(video).caption.endswith('repetitions in 50 frames, 2.1 s')


def test_models_that_do_not_count() -> None:
    with pytest.raises(ValueError, match='model of type VideoClassifier: use configs/severe/vitb_ucfrep'):
        RepetitionCounter('mmsigma::finetune/vitb_k400', 'x.pth', device='cpu')
