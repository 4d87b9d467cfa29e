"""Segmentation of whole videos: objects that move or come late, the user's ids, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmsigma.datasets.vos.sequences import find_sequences
from mmsigma.models import LabelPropagation
from tests.vos_data import draw_video, make_youtube_vos

COLOURS = dict(type='ColourEncoder', stride=4)
UNIT = dict(mean=(0, 0, 0), std=(255, 255, 255))


def by_colour(**settings) -> LabelPropagation:
    propagator = dict(similarity='euclidean', temperature=0.01, num_context=3, k=3, radius=4)
    return LabelPropagation(COLOURS, UNIT, propagator, **settings)


def overlap(pred: np.ndarray, gt: np.ndarray, number: int) -> float:
    return ((pred == number) & (gt == number)).sum() / ((pred == number) | (gt == number)).sum()


@pytest.mark.parametrize('precision', ['float32', 'bfloat16'])
def test_follows_objects(precision: str) -> None:
    frames, masks = draw_video(12, num_objects=2)
    segmenter = by_colour(precision=precision).new_inference_core()
    pred = np.stack([segmenter.step(frame, masks[0] if i == 0 else None) for i, frame in enumerate(frames)])
    assert pred.dtype == np.uint8
    np.testing.assert_array_equal(pred[0], masks[0])
    for number in (1, 2):
        assert overlap(pred[-1], masks[-1], number) > 0.7
        assert overlap(masks[0], masks[-1], number) < 0.1  # what a copy of the first mask would have


def test_objects_may_come_late() -> None:
    frames, masks = draw_video(8, num_objects=3)
    segmenter = by_colour().new_inference_core()
    given = {1: np.where(masks[1] == 3, 3, 0), 3: np.where(masks[3] != 3, masks[3], 0)}
    pred = [segmenter.step(frame, given.get(i)) for i, frame in enumerate(frames)]
    assert not pred[0].any() and set(np.unique(pred[2])) == {0, 3}
    np.testing.assert_array_equal(np.where(pred[3] == 3, 0, pred[3]), given[3])
    # frames from before an object was given still vote for background
    assert overlap(pred[-1], masks[-1], 3) > 0.7
    assert all(overlap(pred[-1], masks[-1], number) > 0.4 for number in (1, 2))


def test_given_masks_are_kept_or_not() -> None:
    frames, masks = draw_video(3, num_objects=2)
    for keep_given in (True, False):
        first = by_colour(keep_given=keep_given).new_inference_core().step(frames[0], masks[0])
        assert np.array_equal(first, masks[0]) == keep_given
        assert overlap(first, masks[0], 1) > 0.8


def test_from_files(tmp_path: Path) -> None:
    (video,) = find_sequences('youtube_vos', make_youtube_vos(tmp_path))
    pred = np.stack(list(by_colour().segment(video)))
    assert pred.shape == (11, 36, 52)
    assert set(np.unique(pred[4])) == {0, 1} and set(np.unique(pred[5])) == set(np.unique(pred[-1])) == {0, 1, 4}


def test_objects_too_small_for_the_cells_are_named(warnings_logged: list[str]) -> None:
    frames, masks = draw_video(4, num_objects=2)
    mask = np.array([0, 5, 0], np.uint8)[masks[0]]
    mask[21, 41] = 9
    late = mask.copy()
    late[30, 3] = 12
    model = LabelPropagation(COLOURS, UNIT | dict(to_cells='nearest'), dict(num_context=3, k=3, radius=4))
    segmenter = model.new_inference_core()
    pred = [segmenter.step(frame, {0: mask, 1: mask, 2: late}.get(i)) for i, frame in enumerate(frames)]
    assert set(np.unique(pred[0])) == {0, 5, 9} and set(np.unique(pred[3])) == {0, 5}
    first, second = warnings_logged
    assert 'frame 0: no cell has a part of object 9,' in first and 'frame 2: no cell has a part of object 12,' in second


def test_features_that_are_not_finite() -> None:
    frames, masks = draw_video(1)
    model = by_colour()
    model.encode = lambda image: torch.full((9, 13, 3), torch.nan)
    with pytest.raises(ValueError, match='the features of frame 0 are not finite'):
        model.new_inference_core().step(frames[0], masks[0])
