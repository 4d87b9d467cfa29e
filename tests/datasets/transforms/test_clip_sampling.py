"""Frames for correspondence: gaps of MAST, rates of CRW."""

import numpy as np
import pytest

from mmsigma.datasets.transforms import (
    CropEachFrame,
    PackClipViews,
    SampleClipAtRate,
    SampleFramesAtGaps,
    UnreadableVideoError,
)
from mmsigma.models.mask_vos.clip_views_preprocessor import ClipViewsPreprocessor


class TestGaps:
    def test_probabilities(self) -> None:
        np.random.seed(0)
        sampling, gaps = SampleFramesAtGaps(), []
        for _ in range(2000):
            first, second = sampling(dict(filename='a', total_frames=40))['frame_inds'].tolist()
            assert 0 <= first < second < 40
            gaps.append(second - first)
        shares = [gaps.count(gap) / len(gaps) for gap in (2, 5, 8)]
        assert sum(shares) == 1 and shares == pytest.approx([0.4, 0.4, 0.2], abs=0.04)

    @pytest.mark.parametrize(('total', 'longest'), [(4, 1), (7, 3), (5, 2), (3, 1)])
    def test_short_videos(self, total: int, longest: int) -> None:
        np.random.seed(1)
        sampling = SampleFramesAtGaps(num_frames=3, step=2)
        gaps = set()
        for _ in range(50):
            frames = sampling(dict(filename='a', total_frames=2 * total))['frame_inds']
            assert frames[-1] < 2 * total and not (frames % 2).any()
            gaps |= set((np.diff(frames) // 2).tolist())
        assert max(gaps) == longest and min(gaps) >= 1

    def test_bad_values(self) -> None:
        with pytest.raises(UnreadableVideoError, match='1 frames at a step of 1, 2 are required'):
            SampleFramesAtGaps()(dict(filename='a', total_frames=1))
        with pytest.raises(ValueError, match='one per gap and sum to 1'):
            SampleFramesAtGaps(gaps=(2, 5), probabilities=(0.5, 0.4))
        with pytest.raises(ValueError, match='num_frames must be at least 2'):
            SampleFramesAtGaps(num_frames=1)


class TestRate:
    @pytest.mark.parametrize(('rate', 'step'), [(29.97, 4), (25, 3), (8, 1), (5, 1), (60, 8)])
    def test_eight_a_second(self, rate: float, step: int) -> None:
        np.random.seed(0)
        starts = set()
        for _ in range(60):
            frames = SampleClipAtRate()(dict(filename='a', total_frames=50, avg_fps=rate))['frame_inds']
            assert np.diff(frames).tolist() == [step] * 3 and frames[-1] < 50 and frames[0] % step == 0
            starts.add(int(frames[0]))
        assert len(starts) > 2

    def test_bad_videos(self) -> None:
        with pytest.raises(UnreadableVideoError, match='3 frames at a step of 4, 4 are required'):
            SampleClipAtRate()(dict(filename='a', total_frames=10, avg_fps=30))
        with pytest.raises(
            ValueError, match='frames/a has no frame rate, which is needed to sample 8 frames per second: set a step'
        ):
            SampleClipAtRate()(dict(filename='frames/a', total_frames=10))


def test_each_frame_is_cropped_by_itself() -> None:
    np.random.seed(0)
    masks = np.zeros((4, 90, 120), np.uint8)
    masks[:, 30:60, 40:90] = 3
    frames = [np.repeat(mask[..., None] * 60, 3, axis=2) for mask in masks]
    results = CropEachFrame(64)(dict(imgs=frames, pseudo_mask=masks))
    assert results['pseudo_mask'].shape == (4, 64, 64) and set(np.unique(results['pseudo_mask'])) == {0, 3}
    for image, mask in zip(results['imgs'], results['pseudo_mask'], strict=True):
        assert image.shape == (64, 64, 3)
        assert ((image[..., 0] > 90) == (mask == 3)).mean() > 0.97
    assert not np.array_equal(results['imgs'][0], results['imgs'][1])


def test_clips_without_views() -> None:
    packed = PackClipViews()(dict(imgs=[np.full((8, 8, 3), 9, np.uint8)] * 2, filename='a', frame_inds=np.arange(2)))
    assert set(packed['inputs']) == {'images'}
    data = dict(inputs={'images': [packed['inputs']['images']]}, data_samples=[packed['data_samples']])
    clip = ClipViewsPreprocessor((1, 1, 1), (2, 2, 2))(data)['inputs']
    assert clip.images.shape == (1, 2, 3, 8, 8) and (clip.images == 4).all()
    assert clip.views is None and clip.back is None
