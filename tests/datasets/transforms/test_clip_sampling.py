"""Frames for correspondence: gaps of MAST, rates of CRW."""

import numpy as np
import pytest

from mmsigma.datasets.transforms import (
    SampleClipAtRate,
    SampleCorrespondingFrames,
    SampleFramesAtGaps,
    ShuffleFrames,
    UnreadableVideoError,
)


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


class TestFrames:
    @pytest.mark.parametrize(('total', 'step'), [(40, 1), (40, 3), (6, 1), (3, 1), (2, 1)])
    def test_neighbours_and_a_distant_one(self, total: int, step: int) -> None:
        sampling = SampleCorrespondingFrames(step=step, min_gap=5)
        np.random.seed(0)
        seen = []
        for _ in range(50):
            frames = sampling(dict(filename='a', total_frames=total))['frame_inds']
            first, following, distant = frames.tolist()
            assert following == first + step and max(frames) < total and min(frames) >= 0
            limit = min(5, max(first // step, (total - 1) // step - first // step))
            assert abs(distant - first) >= limit * step
            seen.append(distant > first)
        assert len(set(seen)) == 2 or total < 3

    @pytest.mark.parametrize(('total', 'step', 'number'), [(40, 1, 3), (40, 3, 2), (8, 1, 3), (4, 1, 1)])
    def test_frames_that_follow_the_distant_one(self, total: int, step: int, number: int) -> None:
        sampling = SampleCorrespondingFrames(step=step, min_gap=5, num_following=number)
        np.random.seed(0)
        sides = set()
        for _ in range(100):
            results = sampling(dict(filename='a', total_frames=total))
            first, second, *others = results['frame_inds'].tolist()
            assert len(others) == 1 + number and results['clip_len'] == 3 + number and second == first + step
            assert all(0 <= frame < total for frame in others)
            away = np.diff([first, *others])
            assert set(away[1:].tolist()) == {step * int(np.sign(away[0]))}
            room = (total - 1) // step - number  # of the distant frame on the right
            longest = max(room - first // step, first // step - number)
            assert abs(away[0]) >= step * min(5, longest)
            sides.add(int(np.sign(away[0])))
        assert sides == {-1, 1}
        with pytest.raises(UnreadableVideoError, match=f'{2 * number + 2} are required'):
            sampling(dict(filename='a', total_frames=step * (2 * number + 1)))
        with pytest.raises(ValueError, match='num_following must not be negative, got -1'):
            SampleCorrespondingFrames(num_following=-1)

    def test_single_frame(self) -> None:
        with pytest.raises(UnreadableVideoError, match='1 frames at a step of 4, 2 are required'):
            SampleCorrespondingFrames(step=4)(dict(filename='a', total_frames=4))

    def test_shuffled(self) -> None:
        np.random.seed(0)
        kept = [tuple(ShuffleFrames(3)(dict(frame_inds=np.arange(5)))['frame_inds']) for _ in range(30)]
        assert len(set(kept)) > 10 and all(len(set(frames)) == 3 for frames in kept)
