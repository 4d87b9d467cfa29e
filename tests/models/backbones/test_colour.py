"""Colours as features."""

import pytest
import torch

from mmsigma.models import ColourEncoder


def test_colours() -> None:
    images = torch.zeros(1, 3, 8, 16)
    images[..., 8:] = 1
    means = ColourEncoder(8)(images)
    assert means.shape == (1, 3, 1, 2)
    torch.testing.assert_close(means[0, 0, 0], torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)
    # the squared distance of cells is the mean over their parts
    parts = ColourEncoder(8, parts=4)(images)
    assert parts.shape == (1, 48, 1, 2)
    distance = (parts[..., 0] - parts[..., 1]).square().sum()
    torch.testing.assert_close(distance, (means[..., 0] - means[..., 1]).square().sum())
    with pytest.raises(ValueError, match='no 3 x 3 equal parts'):
        ColourEncoder(8, parts=3)
