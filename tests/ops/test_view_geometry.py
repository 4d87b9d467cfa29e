"""Views and their maps against the original."""

import pytest
import torch

from mmsigma.ops.view_geometry import view_affine, warp_to_view
from tests.golden_mask_vos import load_vectors


@pytest.mark.parametrize('case', range(4))
def test_original(case: int) -> None:
    vectors = load_vectors('affine_geometry')
    dy, dx, _, scale, flip = vectors.arrays[f'in_params{case}'].tolist()
    centre, zoom = torch.tensor([[dy, dx]]), torch.tensor([1 / scale])
    there, back = view_affine(centre, zoom, torch.tensor([flip < 0]), 256)
    vectors.assert_close(there[0], f'out_theta{case}')
    vectors.assert_close(back[0], f'out_theta_inv{case}')
    warped = warp_to_view(vectors.tensor(f'in_map{case}')[None], back)
    assert (warped[0] == vectors.tensor(f'out_warped{case}')).float().mean() > 0.995


def test_a_view_of_a_picture() -> None:
    picture = torch.arange(64.0).view(1, 1, 8, 8)
    _, back = view_affine(torch.tensor([[-1.0, 2.0]]), torch.tensor([0.5]), torch.tensor([True]), 8)
    # flipped, then the 4 x 4 pixels around (3, 6), enlarged twice
    expected = picture.flip(-1)[:, :, 1:5, 4:8].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(warp_to_view(picture, back), expected)
