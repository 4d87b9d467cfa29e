"""Durations as people say them."""

import pytest

from mmsigma.utils.durations import describe_duration


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(0.2, '0 s'), (59.6, '1 min'), (379, '6 min 19 s'), (3600, '1 h'), (7262, '2 h 1 min'), (200000, '2 d 7 h')],
)
def test_two_largest_units(seconds: float, text: str) -> None:
    assert describe_duration(seconds) == text
