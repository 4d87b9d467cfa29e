"""Inputs of the small models."""

import pytest
import torch
from torch import Tensor


@pytest.fixture
def clips() -> Tensor:
    return torch.randn(2, 3, 4, 32, 32)
