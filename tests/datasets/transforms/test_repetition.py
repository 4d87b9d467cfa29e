"""Parts of videos with repetitions."""

import numpy as np
import pytest

from mmsigma.datasets.transforms.repetition import Letterbox, SampleRepetitions


def test_parts_to_train_on():
    results = dict(total_frames=400, cycle_bounds=list(range(10, 391, 20)), annotated=(10, 390))
    firsts, lengths = set(), set()
    for _ in range(300):
        out = SampleRepetitions()(dict(results))
        frames = out['frame_inds']
        first, last = int(frames[0]), int(frames[-1])
        assert 10 <= first <= 350 and np.array_equal(frames, np.arange(first, last + 1)) and len(frames) <= 300
        assert last - (first + (10 - first) % 20) >= 40  # two whole cycles
        assert (last - 10) % 20 == 0 or len(frames) == 300
        following, previous = out['next_labels'], out['previous_labels']
        assert set(following.tolist()) <= {20, -1}
        # the last cycle has no next one, and its first boundary belongs to it
        assert (following == 20).sum() == len(frames) - 20 - (last == 390)
        assert (previous[:20] == -1).all() and (previous[20:] == 20).all()
        firsts.add(first)
        lengths.add(len(frames))
    assert len(firsts) > 100 and min(lengths) < 60 and max(lengths) > 250


def test_long_cycles_are_cut_and_few_are_enough():
    results = dict(total_frames=999, cycle_bounds=[0, 200, 400, 600], annotated=(0, 600))
    out = SampleRepetitions(max_frames=300)(dict(results))
    assert len(out['frame_inds']) == 300 and out['count'] == 3
    single = SampleRepetitions()(dict(total_frames=50, cycle_bounds=[4, 30], annotated=(4, 30)))
    assert single['frame_inds'].tolist() == list(range(4, 31)) and (single['next_labels'] == -1).all()


def test_a_video_that_is_a_frame_short_repeats_its_last_one():
    out = SampleRepetitions(random=False)(dict(total_frames=20, cycle_bounds=[2, 11, 20], annotated=(2, 20)))
    assert out['frame_inds'][-2:].tolist() == [19, 19] and len(out['next_labels']) == 19


@pytest.mark.parametrize(('height', 'width'), [(20, 40), (40, 20), (30, 30)])
def test_letterbox_keeps_the_aspect_ratio(height, width):
    frames = [np.full((height, width, 3), 200, np.uint8)] * 2
    out = Letterbox(size=16)(dict(imgs=frames))['imgs']
    inside = (out[0] == 200).all(axis=-1)
    rows, columns = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    assert out.shape == (2, 16, 16, 3) and inside.sum() == rows * columns
    assert (rows, columns) == (round(16 * height / max(height, width)), round(16 * width / max(height, width)))
    assert (out[0][~inside] == 0).all() and np.array_equal(inside, inside[::-1, ::-1])
