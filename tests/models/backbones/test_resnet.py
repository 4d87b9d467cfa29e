"""ResNets with a stride of 8."""

import pytest
import torch
import torch.nn.functional as F

from mmsigma.models import ResNetEncoder
from tests.golden_mask_vos import assert_probes, fill, load_vectors


@pytest.mark.parametrize('depth', [18, 50])
@torch.no_grad()
def test_stride_eight_resnets_are_the_originals(depth: int) -> None:
    vectors = load_vectors(f'encoder_resnet{depth}_s8')
    encoder = ResNetEncoder(depth, out_stage=4 if depth == 18 else 3)
    fill(encoder, vectors.entry['weight_tag'], 'backbone.')
    stages = encoder.stages(vectors.tensor('in_image')[None])
    if depth == 18:
        assert_probes(vectors, 'out_layer4', stages[3])
        vectors.assert_close(stages[1], 'out_layer2')
    else:
        assert stages[2].shape[1] == encoder.embed_dims == 1024
    assert_probes(vectors, 'out_layer3', stages[2]) if 'out_layer3_shape' in vectors.arrays else None


@torch.no_grad()
def test_reflected_borders_are_those_of_crw() -> None:
    vectors = load_vectors('encoder_crw')
    encoder = fill(
        ResNetEncoder(18, out_stage=3, padding_mode='reflect'), vectors.entry['weight_tag'], 'encoder.model.'
    )
    maps = F.normalize(encoder(vectors.tensor('in_image')[:, :, 0]), dim=1)
    vectors.assert_close(maps[:, :, None], 'out_layer3_map_l2')


def test_unknown_network() -> None:
    with pytest.raises(ValueError, match='depth must be 18 or 50'):
        ResNetEncoder(34)
