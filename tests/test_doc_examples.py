"""The examples of docs/extending.md run."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from mmsigma.datasets.transforms import TubeMask
from mmsigma.models import SIGMA
from mmsigma.ops import split_tokens
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.preflight import check_config


@pytest.fixture(scope='module')
def model() -> Iterator[SIGMA]:
    """The model of the examples' config, whose modules are found as with PYTHONPATH=docs/examples."""
    folder = Path(__file__).parents[1] / 'docs' / 'examples'
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        cfg = load_config(folder / 'all_three.py')
    check_config(cfg)
    torch.manual_seed(0)
    yield MODELS.build(cfg.model)


@pytest.fixture
def clips() -> torch.Tensor:
    return torch.randn(2, 3, 8, 64, 64)


@pytest.fixture
def mask() -> torch.Tensor:
    draw = TubeMask(grid=(4, 8, 8), mask_ratio=0.75)
    return torch.stack([torch.from_numpy(draw({})['mask']) for _ in range(2)])


def test_backbone_encodes_visible_tubes_only(model: SIGMA, clips: torch.Tensor, mask: torch.Tensor) -> None:
    tokens = model.backbone(clips, mask)
    assert tokens.shape == (2, 64, 128)
    pixels = mask.reshape(2, 1, 4, 8, 8).repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4)
    assert torch.equal(model.backbone(clips.masked_fill(pixels, 9.0), mask), tokens)
    assert model.backbone(clips).shape == (2, 256, 128)


def test_target_is_the_change_within_a_tube(model: SIGMA, clips: torch.Tensor, mask: torch.Tensor) -> None:
    split = split_tokens(mask)
    motion = model.target(clips, split)
    assert motion.shape == (2, 192, model.target.out_channels)
    time, row, column = np.unravel_index(split.masked[0, 5].item(), model.backbone.grid)
    tube = clips[0, :, 2 * time : 2 * time + 2, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    assert torch.equal(motion[0, 5], (tube[:, 1] - tube[:, 0]).flatten())
    still = clips[:, :, :1].expand_as(clips)
    assert not model.target(still, split).any()


def test_loss_ignores_length(model: SIGMA) -> None:
    loss = model.head.loss_module
    features = torch.randn(2, 5, 7)
    assert loss(3 * features, features).item() == pytest.approx(0, abs=1e-6)
    assert loss(-features, features).item() == pytest.approx(2)


def test_all_three_train_together(model: SIGMA, clips: torch.Tensor, mask: torch.Tensor) -> None:
    samples = [BaseDataElement(mask=row) for row in mask]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(5):
        loss = model(clips, samples, mode='loss')['loss_reconstruction']
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert all(map(math.isfinite, losses)) and losses[-1] < losses[0]
