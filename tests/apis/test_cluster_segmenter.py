"""Cluster maps of a user's own video: where the weights come from."""

from pathlib import Path

import pytest
import torch

from mmsigma.apis import ClusterSegmenter
from mmsigma.checkpoints.files import CheckpointError
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'unsupervised_segmentation' / 'vitb_davis17.py'
SMALL = {'model.backbone.arch': 'tiny'}


class Counter:
    """Anything that is no tensor, as old checkpoints have."""


def test_random_weights_are_asked_for() -> None:
    with pytest.raises(ValueError, match='vitb_davis17.py requires a checkpoint'):
        ClusterSegmenter(CONFIG, options=SMALL, device='cpu')
    own = ClusterSegmenter(CONFIG, options=SMALL | dict(weights_in_config=True), device='cpu')
    assert not own.model.training


def test_checkpoints_are_trusted_or_not(tmp_path: Path) -> None:
    model = MODELS.build(load_config(CONFIG, SMALL).model)
    path = tmp_path / 'old.pth'
    torch.save(dict(state_dict=model.state_dict(), counter=Counter()), path)
    with pytest.raises(CheckpointError, match='old.pth'):
        ClusterSegmenter(CONFIG, path, options=SMALL, device='cpu')
    loaded = ClusterSegmenter(CONFIG, path, options=SMALL, device='cpu', trust=True).model
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value)
