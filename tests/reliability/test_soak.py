"""A short soak; the long one is run from the command line."""

from pathlib import Path

import pytest

from tests.reliability.small_runs import make_data
from tests.reliability.soak import flat, growth, resources, soak_segmentation, soak_training


@pytest.mark.slow
def test_training_and_segmentation_do_not_grow(tmp_path: Path) -> None:
    training = soak_training(make_data(tmp_path / 'data'), tmp_path / 'run', 120)
    assert len(training) == 20 and growth(training)['files'] <= 0 and growth(training)['children'] <= 0
    segmentation = soak_segmentation(tmp_path, 200)
    assert len(segmentation) == 20 and growth(segmentation)['files'] <= 0


def test_growth_is_seen() -> None:
    even = [dict(resident=100 + step % 2, files=5, children=2, shared=0) for step in range(10)]
    assert flat(even)
    for key, step in (('resident', 3), ('files', 1), ('children', 1), ('shared', 9)):
        assert not flat([{**row, key: row[key] + step * number} for number, row in enumerate(even)])
    assert resources()['resident'] > 10 and resources()['files'] > 2
