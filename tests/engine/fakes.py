"""As much of a Runner, of its batches and of an encoder as hooks look at."""

from types import SimpleNamespace

import torch
from mmaction.structures import ActionDataSample
from torch import Tensor, nn


class FakeRunner(SimpleNamespace):
    """Keeps the warnings that it is given."""

    def __init__(self, **others) -> None:
        self.warnings: list[str] = []
        logger = SimpleNamespace(warning=self.warnings.append)
        model = torch.nn.Linear(2, 2)
        defaults = dict(iter=0, epoch=0, max_epochs=1, max_iters=4, logger=logger, model=model, hooks=[])
        defaults['visualizer'] = SimpleNamespace(_vis_backends={})
        super().__init__(**{**defaults, **others})


def batch(*failures: list[tuple[str, str]]) -> dict:
    """Clips, each with the videos that could not be read instead of it."""
    samples = [ActionDataSample(metainfo=dict(failures=failure)) for failure in failures]
    return dict(inputs=[torch.zeros(3, 2, 4, 4)] * len(samples), data_samples=samples)


class Colours(nn.Module):
    """Mean colours of cells of 8 pixels."""

    stride = 8

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.scale = nn.AvgPool2d(8), nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.pool(images) * self.scale
