"""Position tables: parity with the release, and what resizing keeps."""

import numpy as np
import pytest
import torch

from mmsigma.ops import resize_position_table, sincos_position_table


@pytest.mark.parametrize('name', ['n32_d32', 'n27_d10', 'n1568_d768'])
def test_official_table(golden, name: str) -> None:
    vector = golden('position_table')
    num_positions, dim = (int(part[1:]) for part in name.split('_'))
    table = sincos_position_table(num_positions, dim)
    assert table.shape == (num_positions, dim) and table.dtype == torch.float32
    rows = vector.arrays.get(f'{name}_rows', np.arange(num_positions))
    vector.assert_close(table[rows], name)


def test_odd_width_has_the_columns_of_a_wider_rule() -> None:
    table = sincos_position_table(5, 3)
    angle = torch.arange(5.0) / 10000 ** (2 / 3)
    torch.testing.assert_close(table, torch.stack([torch.arange(5.0).sin(), torch.arange(5.0).cos(), angle.sin()], 1))


@pytest.mark.parametrize('grid', [(2, 3, 3), (1, 4, 2)])
def test_same_grid_is_left_alone(grid: tuple[int, int, int]) -> None:
    table = sincos_position_table(int(np.prod(grid)), 6)
    assert resize_position_table(table, grid, grid) is table


@pytest.mark.parametrize('new', [(4, 3, 5), (1, 1, 1), (2, 6, 2)])
def test_constant_table_stays_constant(new: tuple[int, int, int]) -> None:
    row = torch.randn(6)
    resized = resize_position_table(row.expand(2 * 3 * 4, -1), (2, 3, 4), new)
    torch.testing.assert_close(resized, row.expand(int(np.prod(new)), -1))


def test_axes_are_resized_one_by_one() -> None:
    torch.manual_seed(1)
    table, old, new = torch.randn(2 * 3 * 4, 5), (2, 3, 4), (4, 2, 6)
    expected = table.reshape(*old, 5).numpy()
    for axis, size in enumerate(new):
        expected = np.apply_along_axis(resize_line, axis, expected, size)
    np.testing.assert_allclose(resize_position_table(table, old, new), expected.reshape(-1, 5), atol=1e-6)


def resize_line(values: np.ndarray, size: int) -> np.ndarray:
    """Linear interpolation at the centres of ``size`` equal parts, clamped at both ends."""
    centres = (np.arange(size) + 0.5) * len(values) / size - 0.5
    return np.interp(centres, np.arange(len(values)), values)
