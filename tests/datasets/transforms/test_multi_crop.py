"""Large and small crops."""

import numpy as np
import pytest

from mmsigma.datasets.transforms import MultiCrop


def test_chances_of_blur_and_solarisation() -> None:
    """Of the first large crop, the other one and the small ones (DINO, appendix)."""
    transform = MultiCrop(2, 3)
    chances = [tuple(step.p for step in crop.transforms[-2:]) for crop in (*transform.large, transform.small)]
    assert chances == [(1.0, 0.0), (0.1, 0.2), (0.5, 0.0)]


def test_crops() -> None:
    np.random.seed(0)
    frame = np.random.default_rng(0).integers(256, size=(60, 80, 3), dtype=np.uint8)
    transform = MultiCrop(2, 3, sizes=(32, 16))
    found = transform(dict(imgs=[frame]))
    assert [crop.shape for crop in found['imgs']] == [(32, 32, 3)] * 2
    assert [crop.shape for crop in found['views']] == [(16, 16, 3)] * 3
    np.random.seed(0)
    again = transform(dict(imgs=[frame]))
    assert all(np.array_equal(*pair) for key in ('imgs', 'views') for pair in zip(found[key], again[key], strict=True))
    assert not np.array_equal(transform(dict(imgs=[frame]))['imgs'][0], found['imgs'][0])
    assert 'views' not in MultiCrop(2, 0)(dict(imgs=[frame]))
    with pytest.raises(ValueError, match='two crops in total are required'):
        MultiCrop(1, 0)
