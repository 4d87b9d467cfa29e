"""Clips of Charades as SlowFast samples them."""

import numpy as np
import pytest
import torch

from mmsigma.datasets.transforms.charades import SampleCharadesClip, ShortSideCrop, frame_labels
from tests.golden_evaluation import load_case


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


def test_frame_rate_and_classes_are_checked():
    with pytest.raises(ValueError, match='x.mp4 has no frame rate: set fps'):
        SampleCharadesClip()(dict(total_frames=9, actions=[], filename='x.mp4'))
    with pytest.raises(ValueError, match='class 157 is not between 0 and num_classes - 1 = 156'):
        sample(9, [(157, 0.0, 1.0)])
    with pytest.raises(ValueError, match='class -1 is not between'):
        sample(9, [(-1, 0.0, 1.0), (3, 0.0, 1.0)])
    with pytest.raises(ValueError, match='must be positive'):
        SampleCharadesClip(num_clips=0)
