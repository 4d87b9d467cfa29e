"""Colours as features of frames, the baseline without parameters."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS


@MODELS.register_module()
class ColourEncoder(BaseModule):
    """Lab colours as features, a baseline without parameters; compare them with ``similarity='euclidean'``.

    Images have to be normalised to 0..1: ``mean=(0, 0, 0)``, ``std=(255, 255, 255)``.

    Args:
        stride: Side of a cell in pixels.
        parts: A cell is described by the mean colours of ``parts`` x ``parts`` squares; squared distances are means
            over the squares.
    """

    def __init__(self, stride: int = 8, parts: int = 1) -> None:
        super().__init__()
        if stride % parts:
            raise ValueError(f'a cell of {stride} pixels has no {parts} x {parts} equal parts')
        self.stride, self.parts, self.embed_dims = stride, parts, 3 * parts**2

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, 3 * parts ** 2, H / stride, W / stride)."""
        means = F.avg_pool2d(rgb_to_lab(images), self.stride // self.parts)
        return F.pixel_unshuffle(means, self.parts) / self.parts
