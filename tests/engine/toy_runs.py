"""Runs of a model with two weights on a dozen numbers, which take no time."""

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmsigma.engine.runner import VideoRunner
from tests.scripts import restored_state


class Numbers(Dataset):
    """The numbers 0 to 11; ``seeds`` are those of the draws, in the main process."""

    def __init__(self, length: int = 12) -> None:
        self.length, self.seeds = length, []

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        self.seeds.append(getattr(index, 'seed', None))
        return dict(inputs=torch.tensor([float(index)]))


class Toy(BaseModel):
    """A backbone and a head; ``seen`` are the batches of each step with numbers drawn there."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = nn.Linear(1, 1), nn.Linear(1, 1)
        for number, parameter in enumerate(self.parameters()):
            nn.init.constant_(parameter, 0.1 + 0.2 * number)
        self.seen: list[tuple[list[float], tuple[float, float, float]]] = []

    def forward(self, inputs: Tensor | list[Tensor], mode: str = 'tensor') -> dict[str, Tensor] | Tensor:
        inputs = torch.stack(list(inputs))
        noise = torch.rand(()).item(), np.random.rand(), random.random()
        self.seen.append((inputs.flatten().tolist(), noise))
        output = self.head(self.backbone(inputs / 12)) + noise[0]
        return dict(loss=output.square().mean()) if mode == 'loss' else output


@contextmanager
def toy_run(work_dir: Path, *, dataset: Dataset | None = None, model: nn.Module | None = None, **changes) -> Iterator:
    """A Runner for two epochs of three batches; what it changes in the interpreter is put back afterwards."""
    loader = dict(
        batch_size=4,
        num_workers=0,
        dataset=dataset or Numbers(),
        sampler=dict(type='mmsigma.SeededSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
    )
    settings = dict(
        model=model or Toy(),
        train_dataloader=loader,
        train_cfg=dict(type='ResumableEpochLoop', max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=None),
        randomness=dict(seed=5),
        default_scope='mmsigma',
    )
    with restored_state():
        # loggers are shared by name, and the default name is the second of the start
        name = uuid.uuid4().hex
        yield VideoRunner(work_dir=str(work_dir), experiment_name=name, **{**settings, **changes})
