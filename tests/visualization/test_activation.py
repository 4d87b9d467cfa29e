"""Class activation maps over frames."""

import numpy as np
import pytest
import torch

from mmsigma.visualization.activation import activation_maps, draw_activation


def test_activations_are_stretched_in_each_frame() -> None:
    maps = torch.rand(3, 5, 4, 6) * torch.tensor([1.0, 100.0, 0.0])[:, None, None, None]
    found = activation_maps(maps)
    assert found.amin(dim=(1, 2)).tolist() == [0, 0, 0]
    assert found.amax(dim=(1, 2)).tolist() == pytest.approx([1, 1, 0])
    assert torch.equal(found[0].flatten().argsort(), maps[0].mean(dim=0).flatten().argsort())


def test_activations_lie_over_the_frame() -> None:
    frame = np.full((40, 60, 3), 100, np.uint8)
    drawn = draw_activation(frame, np.array([[0.0, 1.0]]), opacity=1.0)
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    cold, hot = drawn[20, 2].astype(int), drawn[20, -3].astype(int)
    assert cold[2] > 100 and cold[0] == 0 and hot[0] > 100 and hot[2] == 0
    np.testing.assert_array_equal(draw_activation(frame, np.array([[0.0, 1.0]]), opacity=0.0), frame)
