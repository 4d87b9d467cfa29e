"""What the processes of the counter's test run."""

import torch
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper

from mmsigma.models import InnerStepsDistributedDataParallel
from mmsigma.ops.repetition import cycle_labels
from mmsigma.registry import MODELS


def tiny_counter() -> torch.nn.Module:
    torch.manual_seed(0)
    arch = dict(embed_dims=24, depth=1, num_heads=2)
    backbone = dict(type='VideoVisionTransformer', arch=arch, img_size=16, num_frames=32, patch_size=8)
    head = dict(type='CountingHead')
    return MODELS.build(dict(type='RepetitionCounter', backbone=backbone, head=head, num_steps=3))


def make_batch(seed: int) -> dict:
    """Two videos of 40 frames with cycles of 10."""
    generator = torch.Generator().manual_seed(seed)
    following, previous = (torch.from_numpy(labels) for labels in cycle_labels([0, 10, 20, 30, 39]))
    samples = [ActionDataSample() for _ in range(2)]
    for sample in samples:
        sample.set_field(following, 'next_labels')
        sample.set_field(previous, 'previous_labels')
    videos = [torch.randint(0, 256, (3, 40, 16, 16), dtype=torch.uint8, generator=generator) for _ in range(2)]
    return {'inputs': videos, 'data_samples': samples}


def train(model: torch.nn.Module, batch: dict) -> list[torch.Tensor]:
    """Parameters after one batch; the states of its walks follow from a fixed seed."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    torch.manual_seed(1)
    model.train_step(batch, OptimWrapper(optimizer))
    return [value.detach().clone() for value in model.parameters()]


def counting_worker(rank: int) -> dict[str, list[torch.Tensor]]:
    return {
        'same': train(InnerStepsDistributedDataParallel(tiny_counter()), make_batch(0)),
        'different': train(InnerStepsDistributedDataParallel(tiny_counter()), make_batch(rank)),
    }
