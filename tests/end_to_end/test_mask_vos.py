"""Mask-VOS from videos without labels to segmented ones: both stages, rounds of clustering, resuming."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook

from mmsigma.apis import VideoSegmenter
from mmsigma.apis.launch import build_runner
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.datasets import PseudoMaskRounds
from mmsigma.io.video import FrameReader
from mmsigma.utils.config import load_config
from tests.end_to_end.conftest import ROOT
from tests.scripts import launch
from tests.vos_data import draw_video, make_davis, write_frames

# before the first round, in the middle of the first epoch with masks, and where a round begins
CUTS = (1, 3, 6)


def small(demo_set: Path, work_dir: Path, **options) -> Config:
    """8 videos in batches of 4: 2 steps per epoch, an epoch of correspondence, and three with two rounds."""
    given = {'data_root': str(demo_set / 'videos'), 'batch_size': 4, 'num_workers': 0, **options}
    cfg = load_config(ROOT / 'configs' / 'demo' / 'mask_vos_tiny_demo.py', given)
    cfg.work_dir, cfg.experiment_name = str(work_dir), uuid.uuid4().hex
    cfg.train_dataloader.dataset.indices = 8
    read, _, crop, *_ = cfg.train_dataloader.dataset.pipeline
    crop.update(size=32, short_side=(32, 40))
    cfg.custom_hooks[-1].update(start=1, interval=2, pictures=1)
    cfg.custom_hooks[-1].settings.update(size=32, fit_frames=6)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=8, max_keep_ckpts=-1)
    cfg.train_cfg.max_epochs = 4
    return cfg


def weights(work_dir: Path) -> dict[str, torch.Tensor]:
    return torch.load(work_dir / 'iter_8.pth', weights_only=True)['state_dict']


@pytest.fixture(scope='module')
def trained(demo_set, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('mask_vos')
    cfg = small(demo_set, folder)
    runner = build_runner(cfg)
    (saving,) = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    saving.every_n_train_iters = lambda runner, *_: runner.iter + 1 in (*CUTS, 8)
    runner.train()
    return folder


def test_rounds(trained: Path) -> None:
    rounds = PseudoMaskRounds(trained / 'rounds')
    assert rounds.manifest(0) and rounds.manifest(1) and rounds.manifest(2) is None
    assert rounds.current() == 1
    manifest = json.loads((rounds.path(1) / 'manifest.json').read_text())
    assert (manifest['epoch'], manifest['videos'], manifest['failed']) == (3, 8, [])
    assert 0 < manifest['clusters_per_video'] <= 5 and 0.2 <= manifest['largest_share'] <= 1
    assert len(list(rounds.path(1).glob('*.npz'))) == 8 and len(list(rounds.path(1).glob('pictures/*.png'))) == 1
    log = next(trained.glob('*/vis_data/scalars.json')).read_text()
    assert 'loss_short' in log and 'loss_segmentation' in log
    assert {path.name for path in trained.glob('*/pictures/*')} == {'inputs.png', 'curves.png'}


@pytest.mark.parametrize('at', CUTS)
def test_resumed_is_as_uninterrupted(demo_set, trained: Path, tmp_path: Path, at: int) -> None:
    for name in ('rounds', f'iter_{at}.pth'):
        source = trained / name
        (tmp_path / name).symlink_to(source) if source.is_file() else _copy(source, tmp_path / name)
    cfg = small(demo_set, tmp_path)
    cfg.resume = True
    build_runner(cfg).train()
    resumed, whole = weights(tmp_path), weights(trained)
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def _copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copytree(source, target)


def test_a_round_that_is_gone_is_not_made_up(demo_set, trained: Path, tmp_path: Path) -> None:
    (tmp_path / 'iter_3.pth').symlink_to(trained / 'iter_3.pth')
    cfg = small(demo_set, tmp_path)
    cfg.resume = True
    with pytest.raises(
        FileNotFoundError, match='epoch 1 belongs to round 0, which is not in .*: resume in the work dir'
    ):
        build_runner(cfg).train()


def test_a_new_run_makes_its_rounds_anew(demo_set, trained: Path, tmp_path: Path) -> None:
    _copy(trained / 'rounds', tmp_path / 'rounds')
    cfg = small(demo_set, tmp_path)
    cfg.custom_hooks[-1].settings.num_clusters = 3
    cfg.train_cfg.max_epochs = 2
    build_runner(cfg).train()
    rows = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    shares = [row['labelled_clips'] for row in rows if 'labelled_clips' in row]
    assert shares[0] == 0 and json.loads((tmp_path / 'rounds/round_000/manifest.json').read_text())['seed'] == 0
    assert PseudoMaskRounds(tmp_path / 'rounds').manifest(0)['settings']['num_clusters'] == 3


def test_settings_do_not_change_within_a_round(demo_set, trained: Path, tmp_path: Path) -> None:
    _copy(trained / 'rounds', tmp_path / 'rounds')
    cfg = small(demo_set, tmp_path)
    cfg.load_from = str(trained / 'iter_3.pth')
    cfg.resume, cfg.custom_hooks[-1].settings.num_clusters = True, 3
    with pytest.raises(ValueError, match='round_000 was made with .*undo the change, or resume .* epoch 1 or earlier'):
        build_runner(cfg).train()


def test_segments_videos(demo_set, trained: Path, tmp_path: Path) -> None:
    cfg = small(demo_set, tmp_path, data_root_test=str(make_davis(tmp_path / 'davis', dict(ant=4))))
    cfg.load_from = str(trained / 'iter_8.pth')
    metrics = build_runner(cfg).test()
    assert 0 <= metrics['vos/J&F'] <= 100
    assert len(list(tmp_path.glob('*/davis2017_val/ant/*.png'))) == 4


def test_inferencer_has_the_whole_model(demo_set, trained: Path, tmp_path: Path) -> None:
    """Not the encoder alone with an untrained decoder."""
    config = ROOT / 'configs' / 'demo' / 'mask_vos_tiny_demo.py'
    segment = VideoSegmenter(config, trained / 'iter_8.pth', device='cpu')
    assert all(torch.equal(segment.model.state_dict()[name], value) for name, value in weights(trained).items())
    frames, masks = draw_video(4, num_objects=2)
    masks = np.array([0, 3, 200], np.uint8)[masks]
    found = [mask for _, mask in segment(FrameReader(_video(tmp_path, frames)), masks[0])]
    assert (found[0] == masks[0]).all() and set(np.unique(np.stack(found))) == {0, 3, 200}  # ids with gaps stay
    corr = {name: value for name, value in weights(trained).items() if name.startswith('backbone.')}
    torch.save(corr, tmp_path / 'corr.pth')
    with pytest.raises(CheckpointError, match='reader'):
        VideoSegmenter(config, tmp_path / 'corr.pth', device='cpu')


def _video(folder: Path, frames: np.ndarray) -> Path:
    write_frames(folder / 'frames', frames, [f'{number:02d}' for number in range(len(frames))])
    return folder / 'frames'


def test_videos_without_objects_are_left_out(demo_set, tmp_path: Path) -> None:
    cfg = small(demo_set, tmp_path)
    cfg.custom_hooks[-1].update(start=0, interval=4)
    cfg.custom_hooks[-1].settings.update(max_share=0.01)
    cfg.train_cfg.max_epochs = 1
    build_runner(cfg).train()
    manifest = json.loads((tmp_path / 'rounds/round_000/manifest.json').read_text())
    assert manifest['without_objects'] == 8
    rows = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    assert all(row['labelled_clips'] == 0 and row['loss_segmentation'] == 0 for row in rows if 'loss' in row)


@pytest.mark.parametrize('scheme', ['photometric', 'walk'])
def test_other_schemes(demo_set, tmp_path: Path, scheme: str) -> None:
    """Those of MAST and CRW: an epoch without masks and one with masks."""
    cfg = small(demo_set, tmp_path)
    cfg.train_dataloader.dataset.indices = 4
    read, load, crop, choose, _, pack = cfg.train_dataloader.dataset.pipeline
    hook = cfg.custom_hooks[-1]
    if scheme == 'photometric':
        cfg.model.backbone = dict(type='MASTKeyEncoder')
        cfg.model.correspondence = dict(type='PhotometricCorrespondence', radius=2)
        read.sampling = dict(type='SampleFramesAtGaps', num_frames=3, step=3)
    else:
        cfg.model.backbone.update(key_layers=1, padding_mode='reflect')
        cfg.model.correspondence = dict(type='RandomWalkCorrespondence', patch_size=16, patch_stride=8)
        read.sampling = dict(type='SampleClipAtRate', num_frames=4, fps=8)
        crop = dict(type='CropEachFrame', size=32)
        hook.settings = dict(size=32, fps=8, fit_frames=6)
    cfg.train_dataloader.dataset.pipeline = [read, load, crop, choose, pack]
    hook.update(start=1, interval=1)
    cfg.train_cfg.max_epochs = 2
    build_runner(cfg).train()
    manifest = json.loads((tmp_path / 'rounds/round_000/manifest.json').read_text())
    assert (manifest['videos'], manifest['unreadable']) == (4, 0) and manifest['clusters_per_video'] > 0
    rows = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    losses = [row for row in rows if f'loss_{scheme}' in row]
    assert losses and losses[-1]['labelled_clips'] > 0 and losses[-1]['loss_segmentation'] > 0


def test_hook_needs_masks_in_the_pipeline(demo_set, tmp_path: Path) -> None:
    cfg = small(demo_set, tmp_path)
    del cfg.train_dataloader.dataset.pipeline[1]
    with pytest.raises(ValueError, match='ReclusterHook requires ReadClip and LoadPseudoMasks'):
        build_runner(cfg).train()


@pytest.mark.slow
def test_two_processes(demo_set, tmp_path: Path) -> None:
    """Steps without masks leave parameters without gradients; statistics of norms are shared when an epoch ends."""
    cfg = small(demo_set, tmp_path / 'run', batch_size=2)
    cfg.train_cfg.max_epochs = 2
    cfg.dump(tmp_path / 'two.py')
    launch('tools/dist_train.sh', tmp_path / 'two.py', 2, '--work-dir', cfg.work_dir)
    rounds = PseudoMaskRounds(tmp_path / 'run' / 'rounds')
    assert rounds.manifest(0)['videos'] == 8 and rounds.current() == 0
    rows = [json.loads(line) for line in next(tmp_path.glob('run/*/vis_data/scalars.json')).read_text().splitlines()]
    shares = [row['labelled_clips'] for row in rows if 'labelled_clips' in row]
    assert shares[0] == 0 and shares[-1] > 0


def with_options(demo_set: Path, work_dir: Path) -> Config:
    """Clusters at the frames' aspect ratio, soft masks, and the memory of testing in training, over five frames."""
    cfg = small(demo_set, work_dir)
    read, load, *_ = cfg.train_dataloader.dataset.pipeline
    read.sampling.num_following, load.soft = 2, True
    cfg.custom_hooks[-1].settings.keep_aspect = True
    cfg.model.segmentation.update(feedback=True, num_rounds=3, k=10, radius=2, num_context=2)
    return cfg


def test_options_that_meet_testing(demo_set, tmp_path: Path) -> None:
    """They train, and a run that is resumed in the middle of a round equals one that is not interrupted."""
    runner = build_runner(with_options(demo_set, tmp_path / 'whole'))
    (saving,) = (hook for hook in runner.hooks if isinstance(hook, CheckpointHook))
    saving.every_n_train_iters = lambda runner, *_: runner.iter + 1 in (3, 8)
    runner.train()
    rows = (tmp_path / 'whole').glob('*/vis_data/scalars.json')
    losses = [json.loads(line) for line in next(rows).read_text().splitlines()]
    assert any(row.get('labelled_clips') and 0 < row['loss_segmentation'] < 10 for row in losses)
    manifest = PseudoMaskRounds(tmp_path / 'whole' / 'rounds').manifest(0)
    assert manifest['settings']['keep_aspect'] and manifest['clusters_per_video'] > 0

    _copy(tmp_path / 'whole' / 'rounds', tmp_path / 'resumed' / 'rounds')
    (tmp_path / 'resumed' / 'iter_3.pth').symlink_to(tmp_path / 'whole' / 'iter_3.pth')
    cfg = with_options(demo_set, tmp_path / 'resumed')
    cfg.resume, cfg.load_from = True, str(tmp_path / 'resumed' / 'iter_3.pth')
    build_runner(cfg).train()
    expected, found = weights(tmp_path / 'whole'), weights(tmp_path / 'resumed')
    assert expected.keys() == found.keys() and all(torch.equal(found[name], value) for name, value in expected.items())
