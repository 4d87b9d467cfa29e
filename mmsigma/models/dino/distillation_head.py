"""Head of DINO (ICCV 2021), which compares features with many prototypes."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.ops.precision import at_least_float32, full_float32


class DistillationHead(BaseModule):
    """MLP of three layers, followed by cosine similarities with prototypes (DINO, ICCV 2021, appendix C).

    Args:
        in_channels: Number D of channels of the features.
        num_prototypes: Number K of prototypes.
        hidden_channels: Number of channels of the hidden layers.
        bottleneck_channels: Number of channels of the vectors that are compared with the prototypes.
    """

    def __init__(
        self,
        in_channels: int,
        num_prototypes: int = 65536,
        hidden_channels: int = 2048,
        bottleneck_channels: int = 256,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_channels, hidden_channels),
            nn.GELU(),
            nn.Linear(hidden_channels, hidden_channels),
            nn.GELU(),
            nn.Linear(hidden_channels, bottleneck_channels),
        )
        layer: Any
        for layer in self.layers[::2]:
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(F.normalize(torch.randn(num_prototypes, bottleneck_channels), dim=1))
        self.hold_prototypes = False
        self.prototypes.register_hook(lambda grad: torch.zeros_like(grad) if self.hold_prototypes else grad)

    def forward(self, features: Tensor) -> Tensor:
        """Compute logits ``(B, K)``, cosines in float32 or more, of features ``(B, D)``."""
        found = F.normalize(at_least_float32(self.layers(features)), dim=1)
        with full_float32(found.device.type):  # they are divided by temperatures of 0.1 and less
            return F.linear(found, F.normalize(self.prototypes.to(found.dtype), dim=1))
