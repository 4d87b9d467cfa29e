"""Encoder of frames by their colours, a baseline without parameters."""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS


@MODELS.register_module()
class ColourEncoder(BaseModule):
    """Encoder whose features are Lab colours, to be compared with ``similarity='euclidean'``.

    Images have to be normalised to 0..1, with ``mean=(0, 0, 0)``, ``std=(255, 255, 255)``.

    Args:
        stride: Side of a cell in pixels.
        parts: Number of parts of a cell in each direction. A cell is described by the mean colours of its ``parts`` x
            ``parts`` squares; the squared distance of two cells is the mean over their squares.

    Raises:
        ValueError: If ``stride`` is not a multiple of ``parts``.
    """

    def __init__(self, stride: int = 8, parts: int = 1) -> None:
        super().__init__()
        if stride % parts:
            raise ValueError(
                f'a cell of {stride} pixels has no {parts} x {parts} equal parts: stride must be a multiple of parts'
            )
        self.stride, self.parts, self.embed_dims = stride, parts, 3 * parts**2

    def forward(self, images: Tensor) -> Tensor:
        """Encode images ``(B, 3, H, W)`` as maps ``(B, 3 * parts ** 2, H / stride, W / stride)``."""
        means = F.avg_pool2d(rgb_to_lab(images), self.stride // self.parts)
        return F.pixel_unshuffle(means, self.parts) / self.parts
