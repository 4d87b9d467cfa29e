"""Pictures of the training data show what the model is fed."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mmsigma.datasets import SeededIndex
from mmsigma.io.video import write_mp4
from mmsigma.registry import DATASETS
from mmsigma.utils.config import load_config

SCRIPT = 'tools/browse_dataset.py'
GAP = 4


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('videos')
    rng = np.random.default_rng(0)
    for number in range(3):
        coarse = rng.integers(0, 255, (30, 12, 18, 3), dtype=np.uint8)
        write_mp4(folder / f'video {number}.mp4', [cv2.resize(frame, (144, 96)) for frame in coarse], 10)
    return folder


def cells(picture: np.ndarray, side: int) -> np.ndarray:
    """Cut a picture grid into its images (rows, columns, side, side, 3)."""
    starts = [range(GAP, length - side, side + GAP) for length in picture.shape[:2]]
    return np.array([[picture[y : y + side, x : x + side] for x in starts[1]] for y in starts[0]])


def test_pictures_show_the_first_epoch(run_tool, repository: Path, videos: Path, tmp_path: Path) -> None:
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    options = dict(data_root=str(videos))
    shown = run_tool(SCRIPT, config, '--out', tmp_path, '--number', 2, '--cfg-options', f'data_root={videos}')
    assert shown.status == 0, shown.errors
    pictures = sorted(tmp_path.iterdir())
    assert [path.name for path in pictures] == ['000000_video_0.png', '000002_video_2.png']
    assert all(str(path) in shown.output for path in pictures)
    assert '192 of 256 tokens masked' in shown.output and 'crop x=' in shown.output

    dataset = DATASETS.build(load_config(config, options).train_dataloader.dataset)
    fed = dataset[SeededIndex.of(2, (0, 0, 2))]
    original, frames, masked = cells(cv2.imread(str(pictures[1]))[..., ::-1], 64)
    assert np.array_equal(frames, fed['inputs'].permute(1, 2, 3, 0).numpy())
    grey = fed['data_samples'].mask.reshape(4, 8, 8).numpy().repeat(2, 0).repeat(8, 1).repeat(8, 2)
    assert (masked[grey] == 128).all()
    assert np.array_equal(masked[~grey], frames[~grey])
    assert (original[:, :10] == 255).all(), 'wide frames have a border above and below'
    assert (original[:, 12:52] == (255, 60, 0)).all(-1).sum() > 50, 'the crop is drawn'


def test_videos_have_three_panels(run_tool, repository: Path, videos: Path, tmp_path: Path) -> None:
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_pixel.py'
    shown = run_tool(
        SCRIPT, config, '--out', tmp_path, '--number', 1, '--video', '--cfg-options', f'data_root={videos}'
    )
    assert shown.status == 0, shown.errors
    (path,) = tmp_path.iterdir()
    video = cv2.VideoCapture(str(path))
    size = [int(video.get(key)) for key in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_WIDTH)]
    assert size == [8, 3 * 64 + 4 * GAP]


def test_pipelines_of_mmaction_without_mask(run_tool, videos: Path, tmp_path: Path) -> None:
    listed = tmp_path / 'list.txt'
    listed.write_text('video_0.mp4 0\n')
    (tmp_path / 'video_0.mp4').write_bytes((videos / 'video 0.mp4').read_bytes())
    config = tmp_path / 'config.py'
    config.write_text(f"""
default_scope = 'mmaction'
pipeline = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=4, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs'),
]
dataset = dict(type='VideoDataset', ann_file='list.txt', data_root={str(tmp_path)!r}, pipeline=pipeline)
train_dataloader = dict(dataset=dataset)
""")
    shown = run_tool(SCRIPT, config, '--out', tmp_path / 'out')
    assert shown.status == 0, shown.errors
    (path,) = (tmp_path / 'out').iterdir()
    assert cells(cv2.imread(str(path)), 32).shape == (2, 4, 32, 32, 3)


def test_videos_that_cannot_be_read_are_named(run_tool, repository: Path, tmp_path: Path) -> None:
    (tmp_path / 'videos').mkdir()
    (tmp_path / 'videos' / 'broken.mp4').write_bytes(b'no video')
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    shown = run_tool(SCRIPT, config, '--out', tmp_path / 'out', '--cfg-options', f'data_root={tmp_path}')
    assert shown.status == 1 and 'broken.mp4' in shown.errors.splitlines()[-1]


def test_faults_are_reported_before_anything_is_written(run_tool, repository: Path, tmp_path: Path) -> None:
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    for option, says in (
        ('model.nek.depth=3', "did you mean 'neck'"),
        ('data_root=/no/such/folder', '/no/such/folder'),
    ):
        shown = run_tool(SCRIPT, config, '--out', tmp_path / 'out', '--cfg-options', option)
        assert shown.status == 1 and says in shown.errors
    assert not (tmp_path / 'out').exists()
