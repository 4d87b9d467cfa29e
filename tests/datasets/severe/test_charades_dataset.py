"""Charades: clips and labels against SlowFast's, annotations, videos and folders of frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mmsigma.datasets.severe.charades_dataset import CharadesDataset, read_charades
from mmsigma.datasets.transforms.charades import SampleCharadesClip, ShortSideCrop, frame_labels
from tests.datasets.clips import index_of, write_video
from tests.golden_evaluation import load_case

HEADER = 'id,subject,scene,script,actions,length\n'


def sample(total: int, actions=((0, 0.0, 1.0),), fps: float = 10.0, **options) -> dict:
    return SampleCharadesClip(**options)(dict(total_frames=total, actions=list(actions), fps=fps))


@pytest.mark.parametrize('clip_len', [16, 32])
def test_test_clips_equal_slowfast(clip_len):
    arrays = load_case('charades_sampling').arrays
    for total, expected in zip(arrays['in_num_frames'].tolist(), arrays[f'out_t{clip_len}s8'], strict=True):
        out = sample(total, clip_len=clip_len, num_clips=10)
        np.testing.assert_array_equal(out['frame_inds'].reshape(10, clip_len), expected)
        assert out['num_clips'] == 10 and out['clip_len'] == clip_len


def spans(labels: np.ndarray, fps: float) -> list[tuple[int, float, float]]:
    """One action per frame and class that is set."""
    return [(int(label), frame / fps, frame / fps) for frame, label in zip(*np.nonzero(labels), strict=True)]


@pytest.mark.parametrize('video', range(3))
def test_labels_equal_slowfast(video, monkeypatch):
    arrays = load_case('charades_sampling').arrays
    per_frame = arrays['in_frame_labels'][video]
    first, last = arrays['in_clip_range'][video].tolist()
    actions = spans(per_frame, fps=24.0)
    np.testing.assert_array_equal(frame_labels(actions, 40, 24.0, 12), per_frame)
    whole = sample(40, actions, 24.0, num_clips=10, num_classes=12)
    np.testing.assert_array_equal(whole['label'].numpy(), arrays['out_video_labels'][video])
    monkeypatch.setattr(np.random, 'randint', lambda *args, **kwargs: np.array([first]))
    # 2 frames, the first and the last one of the range
    clip = sample(40, actions, 24.0, clip_len=2, frame_interval=max(last - first, 1), num_classes=12)
    if last > first:
        assert clip['frame_inds'].tolist() == [first, last]
        np.testing.assert_array_equal(clip['label'].numpy(), arrays['out_clip_labels'][video])
    one = sample(40, actions, 24.0, clip_len=1, num_classes=12)
    if last == first:
        np.testing.assert_array_equal(one['label'].numpy(), arrays['out_clip_labels'][video])


def test_training_clips_start_anywhere():
    starts = {int(sample(20, clip_len=4, frame_interval=3)['frame_inds'][0]) for _ in range(300)}
    assert starts == set(range(11))


def test_clips_of_short_videos_repeat_the_first_and_last_frame():
    seen = {tuple(sample(5, clip_len=4, frame_interval=2)['frame_inds'].tolist()) for _ in range(100)}
    assert seen == {(0, 2, 4, 4), (0, 1, 3, 4), (0, 0, 2, 4)}


def test_training_label_is_what_happens_between_first_and_last_frame():
    # seconds 0-1 class 3, 1-3 class 5, 9-10 class 7; the clip has frames 12, 16, 20 of 10 per second
    actions = [(3, 0.0, 1.0), (5, 1.7, 1.9), (7, 9.0, 10.0)]
    np.random.seed(1)
    for _ in range(50):
        out = sample(100, actions, clip_len=3, frame_interval=4)
        first, last = out['frame_inds'][[0, -1]] / 10
        expected = {label for label, start, end in actions if start <= last and end >= first}
        assert set(out['label'].nonzero()[:, 0].tolist()) == expected
        assert out['label'].shape == (157,) and out['label'].dtype == torch.float32


def test_frame_rate_and_classes_are_checked():
    with pytest.raises(ValueError, match='x.mp4 has no frame rate: set fps'):
        SampleCharadesClip()(dict(total_frames=9, actions=[], filename='x.mp4'))
    with pytest.raises(ValueError, match='class 157 does not fit num_classes=157'):
        sample(9, [(157, 0.0, 1.0)])
    with pytest.raises(ValueError, match='must be positive'):
        SampleCharadesClip(num_clips=0)


@pytest.fixture(scope='module')
def charades(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('charades')
    (root / 'videos').mkdir()
    write_video(root / 'videos' / 'AAAAA.mp4', 25)  # 10 per second
    folder = root / 'frames' / 'AAAAA'
    folder.mkdir(parents=True)
    for number in range(1, 26):
        cv2.imwrite(str(folder / f'AAAAA-{number:06d}.png'), np.full((48, 64, 3), 12 + 8 * number, np.uint8))
    rows = ['AAAAA,S1,Kitchen,"A person, cooking.",c092 0.00 1.10;c147 2.00 9.90,30.5', 'BBBBB,S2,Hall,x,,12.0']
    (root / 'train.csv').write_text(HEADER + '\n'.join(rows) + '\n')
    return root


def build(root: Path, frames: bool = False, **options) -> CharadesDataset:
    sampling = dict(type='SampleCharadesClip', clip_len=4, frame_interval=2, num_clips=3)
    decoder = 'frames' if frames else 'pyav'
    pipeline = [dict(type='ReadClip', decoder=decoder, sampling=sampling), dict(type='PackVideoInputs')]
    prefix = dict(video='frames' if frames else 'videos')
    options = {'ann_file': 'train.csv', 'data_root': str(root), **options}
    return CharadesDataset(pipeline, data_prefix=prefix, frames=frames, **options)


def test_annotation(charades):
    assert read_charades(charades / 'train.csv') == {'AAAAA': [(92, 0.0, 1.1), (147, 2.0, 9.9)], 'BBBBB': []}


@pytest.mark.parametrize(('frames', 'fps'), [(False, None), (True, 10.0), (True, 40.0)])
def test_videos_and_folders_give_the_same_clips(charades, frames, fps):
    item = build(charades, frames, fps=fps)[0]
    shown = [index_of(frame) for frame in item['inputs'].flatten(2).permute(1, 2, 0).numpy()]
    assert shown == [0, 2, 4, 6, 9, 11, 13, 15, 18, 20, 22, 24]
    # at 40 frames per second the video is over before the second action begins
    assert item['data_samples'].gt_label.nonzero()[:, 0].tolist() == ([92] if fps == 40 else [92, 147])


def test_missing_videos(charades, warnings_logged):
    assert len(build(charades)) == 1
    assert any('1 of 2 annotated videos' in text and 'BBBBB' in text for text in warnings_logged)
    with pytest.raises(FileNotFoundError, match='BBBBB; set data_prefix'):
        build(charades, strict=True)
    with pytest.raises(ValueError, match='frames=True requires fps'):
        build(charades, frames=True)
    with pytest.raises(FileNotFoundError, match='Charades_v1_train.csv'):
        build(charades, ann_file='nothing.csv')


def test_bad_annotations_are_named(tmp_path):
    (tmp_path / 'a.csv').write_text(HEADER + 'AAAAA,S,K,x,c092 0.00,3\n')
    with pytest.raises(ValueError, match=r'a\.csv, line 2: expected actions .* got .c092 0\.00'):
        read_charades(tmp_path / 'a.csv')
    (tmp_path / 'b.csv').write_text('id,labels\nAAAAA,1\n')
    with pytest.raises(
        ValueError, match=r"b\.csv is not an annotation of Charades: it lacks the columns \['actions'\]"
    ):
        read_charades(tmp_path / 'b.csv')


def test_crops_of_a_random_short_side():
    ramp = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (100, 1, 3))
    sides, left = [], []
    for _ in range(400):
        out = ShortSideCrop(size=28, short_side=(32, 56))(dict(imgs=[ramp] * 2))
        x, y, side, _ = out['crop_box']
        assert out['imgs'].shape == (2, 28, 28, 3) and 0 <= x <= 200 - side and 0 <= y <= 100 - side
        assert abs(float(out['imgs'][0].mean()) - (x + (side - 1) / 2)) < 1
        sides.append(side)
        left.append(x)
    # sides are 28 / 56 to 28 / 32 of the short side, uniformly
    assert min(sides) >= 50 and max(sides) <= 88 and np.mean(sides) == pytest.approx(68.75, abs=2)
    assert max(left) > 100
    with pytest.raises(ValueError, match='does not fit'):
        ShortSideCrop(size=300)
