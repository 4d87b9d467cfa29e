"""Labels of a user's own videos, and where the names of classes come from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.apis import VideoClassifier
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.io.tables import read_csv
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests.datasets.clips import write_video

CONFIG = """
model = dict(
    type='VideoClassifier',
    backbone=dict(
        type='VideoVisionTransformer', arch=dict(embed_dims=24, depth=1, num_heads=2), img_size=16, num_frames=4,
        patch_size=8, final_norm=False,
    ),
    head=dict(type='ClassificationHead', num_classes=3),
)
pipeline = [
    dict(type='ReadClip', sampling=dict(type='SampleDenseViews', clip_len=4, frame_interval=1, num_clips=2)),
    dict(type='CropViews', size=16, num_crops=3),
    dict(type='PackVideoInputs'),
]
train_dataloader = dict(batch_size=1, dataset=dict(
    type='VideoDataset', data_root='{root}', ann_file='lists/train.txt', pipeline=pipeline))
test_dataloader = dict(batch_size=1, dataset=dict(type='VideoDataset', pipeline=pipeline, test_mode=True))
default_scope = 'mmsigma'
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Config, and weights of a classifier whose classes are far apart."""
    (tmp_path / 'config.py').write_text(CONFIG.replace('{root}', str(tmp_path)))
    cfg = load_config(tmp_path / 'config.py')
    model = MODELS.build(cfg.model)
    with torch.no_grad():
        model.head.fc.weight.normal_()
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['dig', 'eat', 'fly']))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'run.pth')
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    return tmp_path / 'config.py', tmp_path / 'model.pth'


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 20, 28, 3), dtype=np.uint8)


def test_scores_are_the_mean_over_clips_and_crops(files: tuple[Path, Path], noise: np.ndarray) -> None:
    classify = VideoClassifier(*files, classes=['a', 'b', 'c'], device='cpu')
    found = classify(noise, top_k=2)
    sample = classify.pipeline(noise)
    assert sample['inputs'].shape == (6, 3, 4, 16, 16)
    inputs = classify.model.data_preprocessor(dict(inputs=list(sample['inputs']), data_samples=[None] * 6))['inputs']
    np.testing.assert_array_equal(found.frames, sample['inputs'][3].permute(1, 2, 3, 0))  # all four of the fourth view
    expected = classify.model(inputs).softmax(dim=1).mean(dim=0).detach()
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)
    order = expected.argsort(descending=True)[:2].tolist()
    assert found.labels.tolist() == order and found.names == ['abc'[label] for label in order]
    assert found.label == found.names[0] and f'{found.label} {expected.max():.3f}' in found.caption


def test_lists_equal_single_videos(files: tuple[Path, Path], noise: np.ndarray, tmp_path: Path) -> None:
    classify, path = VideoClassifier(*files, device='cpu'), write_video(tmp_path / 'dog.mp4', 9)
    both = classify([path, noise, noise[::-1].copy()])
    assert [found.name for found in both] == ['dog', 'frames', 'frames']
    for found, alone in zip(both, (classify(path), classify(noise), classify(noise[::-1].copy())), strict=True):
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-6)
    assert not np.allclose(both[0].scores, both[1].scores, atol=1e-4)
    with pytest.raises(ValueError, match='top_k must be positive, got 0'):
        classify(path, top_k=0)


def test_files_of_a_result(files: tuple[Path, Path], noise: np.ndarray, tmp_path: Path) -> None:
    found = VideoClassifier(*files, classes=['a', 'b', 'c'], device='cpu')(noise)
    paths = found.save(tmp_path / 'out')
    assert [path.name for path in paths] == ['scores.npy', 'labels.npy', 'table.csv', 'picture.png']
    rows = [row for _, row in read_csv(paths[2])[1]]
    assert [(row['rank'], row['name']) for row in rows] == [(str(n), name) for n, name in enumerate(found.names, 1)]
    assert sum(float(row['score']) for row in rows) == pytest.approx(1, abs=1e-5)


def test_where_names_of_classes_come_from(files: tuple[Path, Path], tmp_path: Path, warnings_logged: list[str]) -> None:
    config, checkpoint = files
    assert VideoClassifier(config, checkpoint, device='cpu').classes == ['0', '1', '2']
    (tmp_path / 'lists').mkdir()
    (tmp_path / 'lists/classes.txt').write_text('run\nsit\ntalk\n')
    assert VideoClassifier(config, checkpoint, device='cpu').classes == ['run', 'sit', 'talk']
    (tmp_path / 'classes.txt').write_text('up\ndown\nleft\n')  # beside the weights, as in an exported folder
    assert VideoClassifier(config, checkpoint, device='cpu').classes == ['up', 'down', 'left']
    assert VideoClassifier(config, tmp_path / 'run.pth', device='cpu').classes == ['dig', 'eat', 'fly']
    (tmp_path / 'classes.txt').unlink()
    (tmp_path / 'own.txt').write_text('x\ny\nz\n')
    own = VideoClassifier(config, tmp_path / 'run.pth', classes=tmp_path / 'own.txt', device='cpu')
    assert own.classes == ['x', 'y', 'z'] and not warnings_logged
    with pytest.raises(ValueError, match='classes has 2 names, but the model has 3 classes'):
        VideoClassifier(config, checkpoint, classes=['x', 'y'], device='cpu')
    (tmp_path / 'lists/classes.txt').write_text('run\nsit\n')
    assert VideoClassifier(config, checkpoint, device='cpu').classes == ['0', '1', '2']
    assert '2 names of classes were found for 3 classes' in warnings_logged[0]


def test_from_the_checkpoint_of_a_run_alone(files: tuple[Path, Path], noise: np.ndarray, tmp_path: Path) -> None:
    alone = VideoClassifier(tmp_path / 'run.pth', device='cpu')
    assert alone.classes == ['dig', 'eat', 'fly']
    np.testing.assert_allclose(alone(noise).scores, VideoClassifier(*files, device='cpu')(noise).scores, atol=1e-6)


def test_a_checkpoint_without_the_head(files: tuple[Path, Path], tmp_path: Path) -> None:
    state = torch.load(files[1])
    torch.save({name: value for name, value in state.items() if 'head' not in name}, tmp_path / 'backbone.pth')
    with pytest.raises(CheckpointError, match=r'backbone\.pth does not fit the model: missing 4'):
        VideoClassifier(files[0], tmp_path / 'backbone.pth', device='cpu')


def test_bfloat16_is_close(files: tuple[Path, Path], noise: np.ndarray) -> None:
    exact = VideoClassifier(*files, device='cpu')(noise).scores
    half = VideoClassifier(*files, device='cpu', precision='bfloat16')(noise).scores
    assert half.dtype == np.float32 and 0 < np.abs(half - exact).max() < 0.02
