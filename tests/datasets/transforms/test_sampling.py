"""Transforms: which frames are read, with which decoder, cropped where, masked how, and packed."""

from collections import Counter

import numpy as np
import pytest

from mmsigma.datasets.transforms import (
    CropViews,
    SampleDenseClip,
    SampleDenseViews,
    SampleSegmentClip,
    SampleSegmentViews,
    SampleStridedClip,
)
from tests.golden_evaluation import load_case


class TestSampleStridedClip:
    def test_official_frames(self, golden, monkeypatch: pytest.MonkeyPatch) -> None:
        cases = [case for case in golden('frame_indices').arrays if case['kind'] == 'pretrain']
        assert {case['rate'] for case in cases} >= {2, 4}
        for case in cases:
            monkeypatch.setattr(np.random, 'randint', lambda high, case=case: case['start'])
            sample = SampleStridedClip(case['clip_len'], case['rate'])
            assert sample({'total_frames': case['num_frames']})['frame_inds'].tolist() == case['frames'], case

    def test_start_is_uniform_over_all_that_fit(self) -> None:
        sample = SampleStridedClip(clip_len=4, frame_interval=3)
        starts = Counter(int(sample({'total_frames': 20})['frame_inds'][0]) for _ in range(4500))
        assert sorted(starts) == list(range(9))
        assert all(abs(count - 500) < 100 for count in starts.values())

    @pytest.mark.parametrize('total_frames', [1, 2, 5, 63, 64, 65, 300])
    def test_stride_and_range(self, total_frames: int) -> None:
        sample = SampleStridedClip(16, 4)
        for _ in range(20):
            results = sample({'total_frames': total_frames})
            frames = results['frame_inds']
            assert len(frames) == 16 and frames.min() >= 0 and frames.max() < total_frames
            assert set(np.diff(frames)) <= ({4} if total_frames >= 64 else {4, 0})
        assert (results['clip_len'], results['frame_interval'], results['num_clips']) == (16, 4, 1)

    @pytest.mark.parametrize('settings', [dict(clip_len=0), dict(frame_interval=0)])
    def test_impossible_settings(self, settings: dict) -> None:
        with pytest.raises(ValueError, match='must be positive'):
            SampleStridedClip(**settings)


@pytest.mark.golden_cases('frame_indices')
def test_official_frames(golden_case, monkeypatch: pytest.MonkeyPatch) -> None:
    case = golden_case
    kind, total, length = case['kind'], case['num_frames'], case['clip_len']
    if kind == 'dense_test':
        sampled = SampleDenseViews(length, case['rate'], case['test_num_segment']).frames(total)
        assert sampled.tolist() == case['clips']
    elif kind == 'uniform_test':
        assert SampleSegmentViews(length, case['test_num_segment']).frames(total).tolist() == case['clips']
    elif kind == 'dense_train':
        monkeypatch.setattr(np.random, 'randint', lambda high: case['frames'][0])
        assert SampleDenseClip(length, case['rate']).frames(total)[0].tolist() == case['frames']
    elif kind == 'uniform_train' and total >= length:
        segment = total // length
        inside = np.array(case['frames']) - np.arange(length) * segment
        assert inside.min() >= 0 and inside.max() < segment
        monkeypatch.setattr(np.random, 'randint', lambda high, size: inside)
        assert SampleSegmentClip(length).frames(total)[0].tolist() == case['frames']


@pytest.mark.parametrize('name', ['k400', 'ssv2'])
def test_official_views(name: str) -> None:
    case = load_case('test_views')
    sampler = SampleDenseViews(16, 4, 5) if name == 'k400' else SampleSegmentViews(16, 2)
    videos = case.arrays['in_n_h_w' if name == 'k400' else 'in_n_h_w_ssv2']
    crops = CropViews(224, 3)
    for (total, height, width), indices, boxes in zip(
        videos, case.arrays[f'out_{name}_frames'], case.arrays[f'out_{name}_crop'], strict=True
    ):
        np.testing.assert_array_equal(np.repeat(sampler.frames(total), 3, axis=0), indices)
        corners = crops.corners(width, height)
        assert [[y, x, 224, 224] for x, y in corners] * (len(boxes) // 3) == boxes.tolist()


@pytest.mark.parametrize('total', [1, 3, 15, 16, 17, 63, 64, 65, 300])
@pytest.mark.parametrize(
    'sampler',
    [SampleDenseClip(), SampleSegmentClip(), SampleDenseViews(num_clips=1), SampleSegmentViews(num_clips=1)],
    ids=repr,
)
def test_frames_are_in_the_video_and_in_order(sampler, total: int) -> None:
    for _ in range(10):
        results = sampler({'total_frames': total})
        indices = results['frame_inds']
        assert len(indices) == 16 and results['num_clips'] == 1
        assert indices.min() >= 0 and indices.max() < total and (np.diff(indices) >= 0).all()
    if total >= 16 and 'Segment' in repr(sampler):
        assert len(set(indices)) == 16


def test_short_videos_are_used_as_a_whole() -> None:
    seen = {index for _ in range(50) for index in SampleSegmentClip().frames(5)[0]}
    assert seen == set(range(5))  # the release repeats frame 0


def test_windows_are_uniform() -> None:
    starts = [int(SampleDenseClip(4, 2).frames(12)[0, 0]) for _ in range(2000)]
    counts = np.bincount(starts, minlength=5)
    assert len(counts) == 5 and abs(counts - 400).max() < 90


def test_segments_have_a_middle_and_a_start() -> None:
    with pytest.raises(ValueError, match='num_clips must be 1 or 2, got 3'):
        SampleSegmentViews(num_clips=3)
