"""Pictures of the training data show what the model is fed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mmsigma.datasets import SeededIndex
from mmsigma.datasets.vos.pseudo_masks import PseudoMaskRounds, PseudoMasks
from mmsigma.io.video import write_mp4
from mmsigma.registry import DATASETS
from mmsigma.synthetic.demo_data import make_demo_dataset
from mmsigma.utils.config import load_config
from mmsigma.visualization.labelled_grid import GAP, LINE
from tests.end_to_end.test_counting import write_repetitions
from tests.vos_data import make_davis, make_jhmdb

SCRIPT = 'tools/browse_dataset.py'


@pytest.fixture(scope='module')
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('videos')
    rng = np.random.default_rng(0)
    for number in range(3):
        coarse = rng.integers(0, 255, (30, 12, 18, 3), dtype=np.uint8)
        write_mp4(folder / f'video {number}.mp4', [cv2.resize(frame, (144, 96)) for frame in coarse], 10)
    return folder


def cells(picture: np.ndarray, side: int, rows: int) -> np.ndarray:
    """Cut a labelled grid of square images, of that side, into these (rows, columns, side, side, 3)."""
    tops = [LINE + GAP + row * (side + 2 * LINE + GAP) + LINE for row in range(rows)]
    lefts = range(GAP, picture.shape[1] - side, side + GAP)
    return np.array([[picture[y : y + side, x : x + side] for x in lefts] for y in tops])


def test_pictures_show_the_first_epoch(run_tool, repository: Path, videos: Path, tmp_path: Path) -> None:
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    options = dict(data_root=str(videos), num_samples=1)
    given = [f'{name}={value}' for name, value in options.items()]
    shown = run_tool(SCRIPT, config, '--out', tmp_path, '--number', 2, '--cfg-options', *given)
    assert shown.status == 0, shown.errors
    pictures = sorted(tmp_path.iterdir())
    assert [path.name for path in pictures] == ['000000_video_0.png', '000002_video_2.png']
    assert all(str(path) in shown.output for path in pictures)
    assert '192 of 256 tokens masked' in shown.output and 'crop x=' in shown.output

    dataset = DATASETS.build(load_config(config, options).train_dataloader.dataset)
    fed = dataset[SeededIndex.of(2, (0, 0, 2))]
    # frames of 64 pixels are shown twice as large
    original, frames, masked = cells(cv2.imread(str(pictures[1]))[..., ::-1], 128, 3)[:, :, ::2, ::2]
    assert np.array_equal(frames, fed['inputs'].permute(1, 2, 3, 0).numpy())
    grey = fed['data_samples'].mask.reshape(4, 8, 8).numpy().repeat(2, 0).repeat(8, 1).repeat(8, 2)
    assert (masked[grey] == 128).all()
    assert np.array_equal(masked[~grey], frames[~grey])
    assert (original[:, :10] == 255).all(), 'wide frames have a border above and below'
    assert (original[:, 12:52] == (255, 60, 0)).all(-1).sum() > 50, 'the crop is drawn'


def test_several_crops_of_a_clip_are_shown_with_it(run_tool, repository: Path, videos: Path, tmp_path: Path) -> None:
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py'
    options = ['--number', 1, '--cfg-options', f'data_root={videos}', 'num_samples=2']
    shown = run_tool(SCRIPT, config, '--out', tmp_path, *options)
    assert shown.status == 0, shown.errors
    (path,) = tmp_path.iterdir()
    first, _, _, second, _, _ = cells(cv2.imread(str(path))[..., ::-1], 128, 6)[:, :, ::2, ::2]
    for original in (first, second):
        assert (original[:, :10] == 255).all() and (original[:, 12:52] == (255, 60, 0)).all(-1).sum() > 50
    assert not np.array_equal(first, second), 'each has its own crop'


def test_videos_have_three_panels(run_tool, repository: Path, videos: Path, tmp_path: Path) -> None:
    config = repository / 'configs' / 'demo' / 'sigma_tiny_demo_pixel.py'
    options = ['--number', 1, '--video', '--height', 120, '--cfg-options', f'data_root={videos}', 'num_samples=1']
    shown = run_tool(SCRIPT, config, '--out', tmp_path, *options)
    assert shown.status == 0, shown.errors
    (path,) = tmp_path.iterdir()
    video = cv2.VideoCapture(str(path))
    keys = (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    count, height, width = (int(video.get(key)) for key in keys)
    assert (count, height) == (8, 120)
    assert width == pytest.approx((3 * (128 + GAP) + GAP) * 120 / (128 + 3 * LINE + 2 * GAP), abs=2)


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layout that configs read, with demo videos in it."""
    root = tmp_path_factory.mktemp('data')
    make_demo_dataset(root, num_videos=6, num_classes=2, num_masked=6)
    lines = (root / 'annotations' / 'train.txt').read_text()
    (root / 'charades.csv').write_text('id,actions\nclip_0000,c001 0.0 1.0\n')
    images = sorted((root / 'JPEGImages' / '480p').rglob('00000.jpg'))
    (root / 'images.txt').write_text(''.join(f'{path.relative_to(root)} 0\n' for path in images))
    (root / 'actions.txt').write_text(lines)
    make_davis(root / 'davis', dict(ant=6, bee=7))
    make_jhmdb(root / 'jhmdb', {'jump/high': 4})
    write_repetitions(root, 'train', 'train0', 10, 4)
    return root


LISTED = ['data_root={0}', 'ann_file_train=annotations/train.txt', 'ann_file_val=annotations/val.txt']
FRAMES = ['data_root={0}/JPEGImages', 'video_folder=480p']
KINDS: dict[str, tuple[list[str], list[str]]] = {  # of configs: options, and what is said of a sample
    'sigma/vits_k400_mlp': (LISTED[:2], ['tokens masked', 'crop x=']),
    'sigma/vitb_ssv2_mlp_mgm': (LISTED[:2], ['tokens masked']),
    'finetune/vitb_ucf101': (LISTED, ['label 0']),
    'linear/vitb_cifar100': (['data_root={0}', 'ann_file_train=images.txt'], ['00000.jpg', 'label 0']),
    'severe/vitb_charades_sigma_dino': (['data_root={0}', 'ann_file_train=charades.csv'], ['label 1']),
    'severe/vitb_ucfrep_sigma_dino': (['data_root={0}'], ['4 repetitions']),
    'mask_vos/r18_ytvos': (FRAMES, ['frames [']),
    'mask_vos/crw_r18_k400': (['data_root={0}', 'ann_file_train=actions.txt', 'decoder=auto'], ['frames [']),
    'mask_vos/mast_r18_ytvos': (FRAMES, ['frames [']),
    'mask_vos/dino_r18_ytvos': (FRAMES, ['frames [']),
    'gta/gta_penn_action': ([*LISTED, 'decoder=auto'], ['action move_']),
    'gta/tcn_penn_action': ([*LISTED, 'decoder=auto'], ['action move_']),
    'gta/speednet_penn_action': ([*LISTED, 'decoder=auto'], ['action move_']),
    'evidence/rendered_mlp': ([], ['rendered clip 0', 'tokens masked']),
    'knn/vitb_k400': ([*LISTED, 'ann_file_test=annotations/val.txt'], ['no training data', 'label']),
    'vos/r18': (['data_root={0}/davis'], ['no training data', 'ant']),
    'vos/r18_jhmdb': (['data_root={0}/jhmdb'], ['no training data', 'high']),
    'unsupervised_segmentation/vitb_davis17': (['data_root={0}'], ['no training data']),
}


@pytest.mark.parametrize('name', KINDS)
def test_every_kind_of_config_draws(name: str, run_tool: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    options, said = KINDS[name]
    chosen = [option.format(data) for option in options]
    arguments = ['--cfg-options', *chosen] if chosen else []
    shown = run_tool(SCRIPT, f'mmsigma::{name}', '--out', tmp_path, '--number', 1, *arguments)
    assert shown.status == 0, shown.errors
    assert all(text in shown.output for text in said), shown.output
    (path,) = tmp_path.iterdir()
    assert str(path) in shown.output and cv2.imread(str(path)).std() > 10


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
    assert cells(cv2.imread(str(path)), 128, 2).shape == (2, 4, 128, 128, 3)


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


def test_pseudo_masks_of_a_run(run_tool: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    rounds = PseudoMaskRounds(tmp_path / 'run' / 'rounds')
    options = ['--number', 1, '--out', tmp_path / 'out', '--rounds', tmp_path / 'run']
    config = ['mmsigma::mask_vos/r18_ytvos', *options, '--cfg-options', *(option.format(data) for option in FRAMES)]
    assert 'no round of pseudo masks' in run_tool(SCRIPT, *config).errors
    video = str(sorted((data / 'JPEGImages' / '480p').iterdir())[0])
    labels = np.zeros((100, 4, 4), np.uint8)
    labels[:, :2] = 1
    rounds.write_video(0, video, PseudoMasks(labels, np.arange(100), np.array([1])))
    rounds.finish(0, {})
    shown = run_tool(SCRIPT, *config)
    assert shown.status == 0, shown.errors
    (with_masks,) = (tmp_path / 'out').glob('*.png')
    assert cv2.imread(str(with_masks)).shape[0] > 4 * 256  # a row more than without
    other = run_tool(
        SCRIPT,
        'mmsigma::gta/gta_penn_action',
        *options,
        '--cfg-options',
        'data_root=' + str(data),
        'ann_file_train=annotations/train.txt',
        'decoder=auto',
    )
    assert other.status == 1 and 'none of its transforms reads pseudo masks' in other.errors


def test_masks_that_follow_the_flow_of_a_network(run_tool: Callable[..., Any], videos: Path, tmp_path: Path) -> None:
    config = tmp_path / 'raft.py'
    config.write_text("""
_base_ = ['mmsigma::demo/sigma_tiny_demo_pixel.py']
model = dict(data_preprocessor=dict(
    _delete_=True, type='MotionGuidedPreprocessor', weights='random', mask_ratio=0.75, num_updates=1))
train_pipeline = [
    _base_.train_pipeline[0], dict(type='RandomResizedCropClip', size=128), _base_.crop_and_mask[-1]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
""")
    options = ['--number', 1, '--out', tmp_path / 'out', '--cfg-options', f'data_root={videos}']
    shown = run_tool(SCRIPT, config, *options)
    assert shown.status == 0 and '192 of 256 tokens masked' in shown.output, shown.errors
