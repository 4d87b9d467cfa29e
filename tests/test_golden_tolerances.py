"""Every way in which the manifests of the golden vectors state a tolerance is understood."""

from typing import Any

import pytest

from tests.golden_tolerances import Tolerance

LINE = 'loss rtol 1e-5; scores atol 1e-6; each gradient array: max|diff| <= 1e-4 * max|reference|'


@pytest.mark.parametrize(
    ('stated', 'part', 'expected'),
    [
        ({'rtol': 1e-4, 'atol': 1e-6}, None, (1e-4, 1e-6, 0)),
        ({'rtol': 0.002, 'atol_rel_to_absmax': 2e-5}, None, (0.002, 0, 2e-5)),
        ({'pe': {'atol': 1e-5}, 'labels': 'exact'}, 'pe', (0, 1e-5, 0)),
        ({'pe': {'atol': 1e-5}, 'labels': 'exact'}, 'labels', (0, 0, 0)),
        ({'miou': 1e-12, 'ints': 'exact'}, 'miou', (0, 1e-12, 0)),
        ('exact', None, (0, 0, 0)),
        ('atol 1e-5 rtol 1e-4', None, (1e-4, 1e-5, 0)),
        (LINE, 'scores', (0, 1e-6, 0)),
        (LINE, 'grad', (0, 0, 1e-4)),
        ({'loss': 'rtol 1e-5 (mse_var 1e-4)', 'grad': 'atol 1e-5 + 1e-4*|ref|max'}, 'loss', (1e-5, 0, 0)),
        ({'loss': 'rtol 1e-5 (mse_var 1e-4)', 'grad': 'atol 1e-6+1e-4*|ref|max'}, 'grad', (0, 1e-6, 1e-4)),
        ({'feature': 'rtol 1e-3*max|ref|'}, 'feature', (0, 0, 1e-3)),
        ({'svm': 'abs 0.01'}, 'svm', (0, 0.01, 0)),
    ],
)
def test_read(stated: Any, part: str | None, expected: tuple[float, float, float]) -> None:
    assert Tolerance.read(stated, part) == expected


def test_comparison() -> None:
    tolerance = Tolerance(of_largest=0.01)
    tolerance.assert_close([1.0, 99.5], [0.1, 100.0])
    with pytest.raises(AssertionError):
        tolerance.assert_close([1.2, 100.0], [0.1, 100.0])


def test_nothing_stated() -> None:
    for stated in ({'loss': 'rtol 1e-5'}, 'loss rtol 1e-5', {'grad': 'structural'}):
        with pytest.raises(ValueError, match='no tolerance of grad'):
            Tolerance.read(stated, 'grad')
