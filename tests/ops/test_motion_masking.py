"""Maps that follow motion, by their definition, on motions that are known."""

import numpy as np
import pytest
import torch

from mmsigma.ops import bump_map, carry_map, num_visible_tubes, split_by_map


def test_bumps_by_definition() -> None:
    cells, patch = torch.tensor([[1, 8], [3, 3]]), 4
    found = bump_map(cells, (3, 5), patch)
    assert found.shape == (2, 12, 20)
    for row, chosen in zip(found, cells.tolist(), strict=True):
        expected = np.zeros((12, 20))
        for y in range(12):
            for x in range(20):
                for cell in chosen:
                    my, mx = (part * patch + (patch - 1) / 2 for part in divmod(cell, 5))
                    bump = np.exp(-(((x - mx) / patch) ** 2) - ((y - my) / patch) ** 2)
                    expected[y, x] = max(expected[y, x], bump)
        np.testing.assert_allclose(row, expected / expected.max(), atol=1e-6)


@pytest.mark.parametrize('base', [0, 2, 4])
def test_a_shift_is_followed_exactly(base: int) -> None:
    """A scene moves to the right by 3 pixels a frame, and up by 1: the map moves with it, also back in time."""
    base_map = bump_map(torch.tensor([[12]]), (5, 5), 8)
    flows = torch.zeros(1, 5, 2, 40, 40)
    for number in range(5):  # from a frame to its neighbour nearer to the base
        sign = -1 if number > base else 1
        flows[0, number, 0], flows[0, number, 1] = sign * 3, -sign * 1
    maps = carry_map(base_map, flows, base, fill=False)
    assert torch.equal(maps[0, base], base_map[0])
    for number in range(5):
        steps = number - base
        moved = torch.roll(base_map[0], (-steps, 3 * steps), dims=(0, 1))
        inner = (slice(6, 34), slice(13, 27))
        torch.testing.assert_close(maps[0, number][inner], moved[inner], atol=1e-5, rtol=0)
        if steps > 0:  # what came in from outside has nothing of the map
            assert not maps[0, number][:, : 3 * steps].any()


def test_half_a_pixel_is_interpolated() -> None:
    base_map, flows = torch.rand(1, 6, 7), torch.zeros(1, 2, 2, 6, 7)
    flows[:, 1, 0] = 0.5
    found = carry_map(base_map, flows, 0)[0, 1]
    torch.testing.assert_close(found[:, :-1], (base_map[0, :, :-1] + base_map[0, :, 1:]) / 2)


def test_holes_are_filled_with_the_map_of_the_base_frame() -> None:
    base_map, flows = torch.rand(1, 4, 4) + 0.1, torch.zeros(1, 3, 2, 4, 4)
    flows[:, 1:, 0] = 2  # the two columns at the right are read from outside
    empty, filled = (carry_map(base_map, flows, 0, fill=fill)[0, 1] for fill in (False, True))
    assert not empty[:, 2:].any() and torch.equal(filled[:, 2:], base_map[0, :, 2:])
    assert torch.equal(empty[:, :2], filled[:, :2])


def test_every_slot_shows_its_largest_tubes() -> None:
    maps = torch.zeros(2, 4, 4, 6)  # two slots of 2 x 3 cells of 2 x 2 pixels
    maps[0, 0, 0, 0] = 1.0  # cell 0, first slot
    maps[0, 1, 2:, 4:] = 0.1  # cell 5, sum 0.4
    maps[0, 2, 2, 2] = 0.5  # cell 4, second slot
    split = split_by_map(maps, 2, 2, 2)
    assert split.visible.tolist() == [[0, 5, 6, 10], [0, 1, 6, 7]]  # equal sums: the smaller index
    assert split.masked.tolist() == [[1, 2, 3, 4, 7, 8, 9, 11], [2, 3, 4, 5, 8, 9, 10, 11]]


def test_number_of_visible_tubes() -> None:
    assert num_visible_tubes(196, 0.9) == 19  # not 196 - int(0.9 * 196) = 20
    for ratio in (0.0, 0.999):
        with pytest.raises(ValueError, match='some must be, not all'):
            num_visible_tubes(16, ratio)
