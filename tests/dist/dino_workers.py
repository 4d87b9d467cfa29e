"""What the processes of the DINO test run."""

import torch

from mmsigma.models import DINO
from mmsigma.models.clip_views import ClipViews

HEAD = dict(num_prototypes=16, hidden_channels=8, bottleneck_channels=4)


def crops() -> ClipViews:
    generator = torch.Generator().manual_seed(1)
    return ClipViews(*(torch.randn(4, n, 3, side, side, generator=generator) for n, side in ((2, 32), (3, 16))))


def center_of(images: ClipViews) -> torch.Tensor:
    """Centre after the first step; with norms in evaluation, whose statistics do not depend on the share."""
    torch.manual_seed(0)
    model = DINO(dict(type='ResNetEncoder', depth=18), HEAD).eval()
    model(images, mode='loss')
    return model.center


def center_worker(rank: int) -> torch.Tensor:
    everything = crops()
    assert everything.views is not None
    return center_of(ClipViews(*(side[2 * rank : 2 * rank + 2] for side in (everything.images, everything.views))))
