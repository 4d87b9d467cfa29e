"""mmsigma predict: each kind of model, folders, and videos that cannot be read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.apis.predictions import Requested, find_videos_of, inferencer_of, list_requests, names_of
from mmsigma.io.masks import read_mask, write_mask
from mmsigma.io.tables import read_csv
from mmsigma.io.video import write_mp4
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests.apis import test_keypoint_tracker as keypoints
from tests.apis import test_video_aligner as aligner
from tests.apis import test_video_classifier as classifier
from tests.datasets.clips import write_video
from tests.vos_data import draw_video, write_frames

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'tools/predict.py'


@pytest.mark.parametrize(
    ('config', 'name'),
    [
        ('finetune/vitb_k400', 'VideoClassifier'),
        ('linear/vitb_k400_attentive', 'VideoClassifier'),
        ('severe/vitb_ucfrep_sigma_dino', 'RepetitionCounter'),
        ('vos/r18_jhmdb', 'KeypointTracker'),
        ('vos/dino_vits8', 'VideoSegmenter'),
        ('mask_vos/r18_ytvos', 'VideoSegmenter'),
        ('gta/gta_penn_action', 'VideoAligner'),
        ('unsupervised_segmentation/vitb_davis17', 'ClusterSegmenter'),
        ('knn/vitb_k400', 'FeatureExtractor'),
        ('sigma/vitb_k400_mlp', 'FeatureExtractor'),
    ],
)
def test_the_inferencer_of_a_config(config: str, name: str) -> None:
    assert inferencer_of(f'mmsigma::{config}').__name__ == name


def test_requests(tmp_path: Path) -> None:
    write_video(tmp_path / 'videos/a.mp4', 2) if (tmp_path / 'videos').mkdir() is None else None
    write_video(tmp_path / 'videos/b.mp4', 2)
    write_frames(tmp_path / 'frames', draw_video(2)[0], ['0', '1'])
    assert find_videos_of(tmp_path / 'frames') == [tmp_path / 'frames']
    found = list_requests([tmp_path / 'videos', tmp_path / 'frames', tmp_path / 'videos/a.mp4', Path('gone.mp4')])
    assert [one.name for one in found] == ['a_0', 'b', 'frames', 'a_3', 'gone']
    assert found[1] == Requested('b', tmp_path / 'videos/b.mp4')
    assert names_of([Path('x/a.mp4'), Path('x/a.avi')], Path('x')) == ['a.mp4', 'a.avi']
    with pytest.raises(ValueError, match='1 files of masks or points for 2 videos'):
        list_requests([tmp_path / 'videos'], [tmp_path / 'mask.png'])


def test_no_two_videos_have_one_name(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ('a/x.mp4', 'b/x.mp4', 'c/x_1.mp4', 'd/x_4.mp4')]
    assert [one.name for one in list_requests(paths)] == ['x_0', 'x_5', 'x_1', 'x_4']


def test_folders_of_frames_and_what_lies_beside_videos(tmp_path: Path) -> None:
    for name in ('dogs/one', 'dogs/two'):
        write_frames(tmp_path / name, draw_video(2)[0], ['0', '1'])
    assert [one.name for one in list_requests([tmp_path / 'dogs'])] == ['one', 'two']
    write_video(tmp_path / 'dogs/one/clip.mp4', 2)
    (tmp_path / 'notes').mkdir()
    (tmp_path / 'notes' / 'a.txt').write_text('nothing to see')
    with pytest.raises(ValueError, match='notes has neither videos nor folders of frames below it'):
        list_requests([tmp_path / 'notes'])
    with pytest.raises(ValueError, match=r'one has both the picture [01].png and the video clip.mp4: name the videos'):
        find_videos_of(tmp_path / 'dogs/one')
    (tmp_path / 'hidden').mkdir()
    write_video(tmp_path / 'hidden/clip.mp4', 2)
    (tmp_path / 'hidden/._clip.jpg').touch()
    assert find_videos_of(tmp_path / 'hidden') == [tmp_path / 'hidden/clip.mp4']


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Checkpoint of a run of a classifier."""
    (tmp_path / 'config.py').write_text(classifier.CONFIG)
    cfg = load_config(tmp_path / 'config.py')
    meta = dict(cfg=cfg.pretty_text, dataset_meta=dict(classes=['dig', 'eat', 'fly']))
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta=meta), tmp_path / 'run.pth')
    return tmp_path / 'run.pth'


def test_labels_of_a_folder_with_a_damaged_file(labels: Path, tmp_path: Path, run_tool: Callable) -> None:
    (tmp_path / 'videos').mkdir()
    write_video(tmp_path / 'videos/a.mp4', 9)
    write_video(tmp_path / 'videos/c.mp4', 9)
    (tmp_path / 'videos/b.mp4').write_text('no video')
    done = run_tool(TOOL, labels, '-', tmp_path / 'videos', 'gone.mp4', '--out', tmp_path / 'out', '--top-k', 2)
    assert done.status == 0, done.errors
    lines = done.output.splitlines()
    assert lines[0].startswith('a: ') and lines[1] == 'b: left out' and lines[2].startswith('c: ')
    assert lines[4] == f'2 videos, results in {tmp_path / "out"}' and lines[5] == '2 were left out:'
    assert 'b.mp4' in lines[6] and 'gone.mp4' in lines[7]
    titles, rows = read_csv(tmp_path / 'out/predictions.csv')
    assert titles == ['video', 'rank', 'label', 'name', 'score']
    assert [(row['video'], row['rank']) for _, row in rows] == [('a', '1'), ('a', '2'), ('c', '1'), ('c', '2')]
    assert rows[0][1]['name'] == ['dig', 'eat', 'fly'][int(rows[0][1]['label'])]
    failed = run_tool(TOOL, tmp_path / 'config.py', labels, tmp_path / 'videos/b.mp4', '--out', tmp_path / 'none')
    assert failed.status == 1 and 'none of 1 videos could be used' in failed.errors
    assert not (tmp_path / 'none').exists()


def test_masks(tmp_path: Path, run_tool: Callable) -> None:
    frames, masks = draw_video(4, num_objects=2)
    write_frames(tmp_path / 'dog', frames, [f'f{number}' for number in range(4)])
    write_mask(tmp_path / 'mask.png', masks[0])
    options = ['--cfg-options', 'model.backbone.stride=4', 'model.propagator.radius=4']
    arguments = [ROOT / 'configs/vos/colour.py', '-', tmp_path / 'dog', '--out', tmp_path / 'out']
    done = run_tool(TOOL, *arguments, '--mask', tmp_path / 'mask.png', *options)
    assert done.status == 0 and 'dog: 4 frames, objects [1, 2]' in done.output, done.errors
    np.testing.assert_array_equal(read_mask(tmp_path / 'out/dog/masks/f0.png'), masks[0])
    assert (tmp_path / 'out/dog/overlay.mp4').is_file()
    failed = run_tool(TOOL, *arguments)
    assert failed.status == 1 and 'the model needs --mask, of the first frame of each video' in failed.errors


def test_points_and_features(tmp_path: Path, run_tool: Callable) -> None:
    (tmp_path / 'config.py').write_text(keypoints.CONFIG)
    np.save(tmp_path / 'points.npy', keypoints.POINTS)
    write_frames(tmp_path / 'spots', keypoints.VIDEO, list('01234'))
    arguments = [tmp_path / 'config.py', '-', tmp_path / 'spots', '--out', tmp_path / 'out']
    done = run_tool(TOOL, *arguments, '--points', tmp_path / 'points.npy')
    assert done.status == 0 and 'spots: 3 points in 5 frames' in done.output, done.errors
    assert np.load(tmp_path / 'out/spots/points.npy').shape == (5, 3, 2)
    failed = run_tool(TOOL, *arguments, '--mask', tmp_path / 'points.npy')
    assert '--mask is for VideoSegmenter, but the config has a model for KeypointTracker' in failed.errors


def test_an_alignment(tmp_path: Path, run_tool: Callable) -> None:
    torch.manual_seed(0)
    cfg = load_config(aligner.CONFIG, aligner.SMALL)
    state = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=state, meta=dict(cfg=cfg.pretty_text)), tmp_path / 'gta.pth')
    for name, length in (('one', 6), ('two', 8)):
        write_mp4(tmp_path / f'{name}.mp4', draw_video(length)[0], fps=10)
    videos = [tmp_path / 'one.mp4', tmp_path / 'two.mp4']
    done = run_tool(TOOL, tmp_path / 'gta.pth', '-', *videos, '--out', tmp_path / 'out')
    assert done.status == 0 and 'one, two: 6 and 8 frames, mean cost' in done.output, done.errors
    assert np.load(tmp_path / 'out/cost.npy').shape == (6, 8)
    failed = run_tool(TOOL, tmp_path / 'gta.pth', '-', videos[0])
    assert failed.status == 1 and 'the model aligns two videos, got 1' in failed.errors


def test_tests_without_labels_name_the_command(tmp_path: Path, run_tool: Callable, labels: Path) -> None:
    (tmp_path / 'videos').mkdir()
    write_video(tmp_path / 'videos/a.mp4', 9)
    with (tmp_path / 'config.py').open('a') as file:
        file.write(
            "test_dataloader['dataset'].update(data_prefix=dict(video='videos'), data_root='" + str(tmp_path) + "')\n"
            "test_dataloader.update(num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False))\n"
            "test_cfg = dict(type='TestLoop')\ntest_evaluator = dict(type='AccuracyMetric')\n"
            "runner_type = 'VideoRunner'\n"
            'del train_dataloader\n'
        )
    arguments = [tmp_path / 'config.py', labels, '--work-dir', tmp_path / 'work', '--dump', tmp_path / 'found.pkl']
    failed = run_tool('tools/test.py', *arguments)
    assert failed.status == 1 and 'To label videos with a trained classifier, use "mmsigma predict"' in failed.errors
