"""Lab colours against OpenCV's."""

import torch

from mmsigma.ops.colour import rgb_to_lab
from tests.golden_mask_vos import load_vectors


def test_equals_the_original() -> None:
    vectors = load_vectors('lab_convert')
    lab = rgb_to_lab(vectors.tensor('in_rgb').movedim(-1, 0).float() / 255)
    # OpenCV reads from tables
    vectors.assert_close(lab, 'out_lab')


def test_greys_have_no_colour() -> None:
    lab = rgb_to_lab(torch.linspace(0, 1, 11).expand(2, 3, 1, 11))
    assert lab[:, 1:].abs().max() < 1e-4
    torch.testing.assert_close(lab[0, 0, 0, [0, -1]], torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)
    assert (lab[0, 0, 0].diff() > 0).all()
