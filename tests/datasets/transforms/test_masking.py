"""Masks of tubes."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from mmsigma.datasets.transforms import (
    MotionGuidedMask,
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


def moving_square(num_frames: int, step: int) -> np.ndarray:
    """A textured square of 32 pixels that moves to the right before a textured background."""
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 90, (28, 28, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    square = rng.integers(120, 255, (8, 8, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    frames = np.repeat(scene[None], num_frames, axis=0)
    for number, frame in enumerate(frames):
        frame[40:72, 8 + step * number : 40 + step * number] = square
    return frames


class TestMotionGuidedMask:
    @pytest.mark.parametrize('base', ['middle', 'first', 'random'])
    def test_visible_tubes_follow_the_square(self, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
        num_frames, step = 8, 6
        draw = MotionGuidedMask((4, 7, 7), 0.9, base=base, preset='medium')
        frames = moving_square(num_frames, step)
        at = {'middle': 4, 'first': 0, 'random': 2}[base]
        monkeypatch.setattr(np.random, 'randint', lambda high: 2)
        column = (24 + step * at) // 16  # the cell in the middle of the square in the base frame
        order = [3 * 7 + column, *(cell for cell in range(49) if cell != 3 * 7 + column)]
        monkeypatch.setattr(np.random, 'permutation', lambda number: np.array(order))
        draw.num_visible, draw.mask_ratio = 1, 1 - 1 / 49 + 1e-9  # one bump
        visible = ~draw(dict(imgs=frames))['mask'].reshape(4, 7, 7)
        assert visible.sum(axis=(1, 2)).tolist() == [1] * 4
        rows, columns = zip(*[np.argwhere(slot)[0].tolist() for slot in visible], strict=True)
        assert set(rows) == {3}
        for slot, found in enumerate(columns):  # about where the square is
            assert abs(16 * found + 8 - (24 + step * (2 * slot + 0.5))) <= 20
        assert columns[-1] - columns[0] >= 2

    def test_every_slot_has_equally_many(self) -> None:
        np.random.seed(0)
        results = MotionGuidedMask((4, 7, 7), 0.75)(dict(imgs=list(moving_square(8, 5))))
        mask = results['mask'].reshape(4, 49)
        assert results['mask_grid'] == (4, 7, 7) and mask.dtype == bool
        assert (~mask).sum(axis=1).tolist() == [int(49 * 0.25)] * 4
        assert not (mask == mask[0]).all()  # unlike a tube mask, the pattern moves

    def test_what_it_cannot_do(self) -> None:
        with pytest.raises(ValueError, match="base must be one of.*'last'"):
            MotionGuidedMask(base='last')
        with pytest.raises(ValueError, match='8 frames of 112 x 112 do not divide into the grid'):
            MotionGuidedMask((4, 5, 5))(dict(imgs=moving_square(8, 1)))
