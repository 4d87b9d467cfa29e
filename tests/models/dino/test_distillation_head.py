"""The head of DINO."""

import pytest
import torch

from mmsigma.models import DINO
from mmsigma.models.clip_views import ClipViews

HEAD = dict(num_prototypes=16, hidden_channels=8, bottleneck_channels=4)


@pytest.fixture
def model() -> DINO:
    torch.manual_seed(0)
    return DINO(dict(type='ResNetEncoder', depth=18), HEAD)


def crops(batch: int = 2) -> ClipViews:
    generator = torch.Generator().manual_seed(1)
    return ClipViews(*(torch.randn(batch, n, 3, side, side, generator=generator) for n, side in ((2, 32), (3, 16))))


def test_prototypes_can_be_held(model: DINO) -> None:
    model.head.hold_prototypes = True
    model(crops(), mode='loss')['loss_distillation'].backward()
    assert not model.head.prototypes.grad.any()
    assert model.head.layers[0].weight.grad.any()
