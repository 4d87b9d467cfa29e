"""A target of one's own: how a tube changes over time."""

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmsigma.ops import TokenSplit, gather_tokens, patchify
from mmsigma.registry import MODELS


@MODELS.register_module()
class MotionTarget(BaseModule):
    """Difference between the last and the first frame of every masked tube.

    Args:
        patch_size: Side of a tube in pixels.
        tubelet_size: Frames per tube.
    """

    def __init__(self, patch_size: int = 16, tubelet_size: int = 2) -> None:
        super().__init__()
        self.patch_size, self.tubelet_size = patch_size, tubelet_size
        self.out_channels = 3 * patch_size**2  # width of decoder and head follow from it

    @torch.no_grad()
    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Motion of the masked tubes (B, N_masked, 3 * patch_size ** 2) of a normalised video (B, C, T, H, W)."""
        first, last = inputs[:, :, :: self.tubelet_size], inputs[:, :, self.tubelet_size - 1 :: self.tubelet_size]
        return gather_tokens(patchify(last - first, 1, self.patch_size), split.masked)
