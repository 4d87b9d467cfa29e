"""Masks of tubes."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from mmsigma.datasets.transforms import (
    RandomMask,
    TubeMask,
)


class TestMasks:
    @staticmethod
    def assert_tubes(masks: np.ndarray, window: list[int], masked_per_frame: int) -> None:
        """What is promised of tube masks, (draws, tokens): count, constancy over time, independence of draws."""
        per_frame = masks.reshape(len(masks), window[0], -1)
        assert per_frame.shape[2] == window[1] * window[2]
        assert (per_frame.sum(2) == masked_per_frame).all()
        assert (per_frame == per_frame[:, :1]).all()
        assert all((first != second).any() for first, second in itertools.combinations(masks, 2))

    @pytest.mark.golden_cases('tube_mask')
    def test_official_promises(self, golden_case) -> None:
        arrays, case = golden_case
        self.assert_tubes(arrays[''], case['window'], case['masked_per_frame'])
        mask = TubeMask(case['window'], case['ratio'])
        self.assert_tubes(np.stack([mask({})['mask'] for _ in range(5)]), case['window'], case['masked_per_frame'])

    def test_twenty_of_196_tubes_stay_visible(self) -> None:
        mask = TubeMask()({})['mask']
        assert mask.dtype == bool and mask.shape == (1568,) and mask.sum() == 8 * 176

    @pytest.mark.parametrize('kind', [TubeMask, RandomMask])
    def test_every_place_is_masked_equally_often(self, kind: Callable) -> None:
        mask = kind((2, 3, 3), 0.6)
        share = np.mean([mask({})['mask'] for _ in range(2000)], axis=0)
        np.testing.assert_allclose(share, share.mean(), atol=0.06)

    def test_random_mask_counts_and_varies_over_time(self) -> None:
        masks = np.stack([RandomMask((4, 5, 5), 0.75)({})['mask'] for _ in range(5)])
        assert masks.shape == (5, 100) and (masks.sum(1) == 75).all()
        assert (masks[:, :25] != masks[:, 25:50]).any()

    @pytest.mark.parametrize('kind', [TubeMask, RandomMask])
    @pytest.mark.parametrize(
        ('ratio', 'message'),
        [
            (0, 'between 0 and 1'),
            (1, 'between 0 and 1'),
            (1.5, 'got 1.5'),
            (0.01, r'masks none of the tokens of a grid \(2, 3, 3\)'),
        ],
    )
    def test_impossible_ratios(self, kind: Callable, ratio: float, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            kind((2, 3, 3), ratio)
