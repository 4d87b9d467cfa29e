"""Encoder of MAST (CVPR 2020): dense maps of single frames, from Lab colours, at a stride of 4."""

from typing import Any

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS

# channels and stride of each stage; a stage has two blocks
_STAGES = ((64, 1), (128, 2), (256, 1), (256, 1))


@MODELS.register_module()
class MASTEncoder(BaseModule):
    """Network of MAST (Lai, Lu and Xie 2020): a ResNet-18 without max-pooling, with 64 output channels.

    Of its four stages, only the second has a stride of 2. Images have to be normalised to 0..1, with
    ``mean=(0, 0, 0)`` and ``std=(255, 255, 255)``; the encoder converts them to Lab colours. Features may have any
    length, as they are compared by their dot product. Parameters have the names of the released checkpoints.

    Args:
        init_cfg: Config of MMEngine's weight initialisation.
    """

    stride = 4
    embed_dims = 64

    def __init__(self, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        layers = {'conv1': nn.Sequential(*_conv_and_norm(3, 64, 7, 2), nn.ReLU(inplace=True))}
        channels = 64
        for number, (width, stride) in enumerate(_STAGES, start=1):
            layers[f'layer{number}'] = nn.Sequential(_Block(channels, width, stride), _Block(width, width, 1))
            channels = width
        self.feature_extraction = nn.Sequential()
        for name, layer in layers.items():
            self.feature_extraction.add_module(name, layer)
        self.post_convolution = nn.Conv2d(channels, self.embed_dims, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Encode RGB images ``(B, 3, H, W)`` in 0..1 as maps ``(B, 64, H / 4, W / 4)``."""
        return self.encode_lab(rgb_to_lab(images))

    def encode_lab(self, images: Tensor) -> Tensor:
        """Encode Lab images ``(B, 3, H, W)``, scaled as :func:`rgb_to_lab` does, as maps ``(B, 64, H / 4, W / 4)``."""
        maps: Tensor = self.post_convolution(self.feature_extraction(images))
        return maps

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return maps of the four stages for Lab images ``(B, 3, H, W)``; their strides are 2, 4, 4 and 4."""
        maps = []
        for layer in self.feature_extraction:
            images = layer(images)
            maps.append(images)
        return maps[1:]


class _Block(nn.Module):
    """Residual block of two convolutions, whose parameters have the names of the release."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.left = nn.Sequential(
            *_conv_and_norm(in_channels, channels, 3, stride),
            nn.ReLU(inplace=True),
            *_conv_and_norm(channels, channels, 3, 1),
        )
        same = stride == 1 and in_channels == channels
        self.shortcut = nn.Sequential(*([] if same else _conv_and_norm(in_channels, channels, 1, stride)))

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.left(maps) + self.shortcut(maps))


def _conv_and_norm(in_channels: int, channels: int, size: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(in_channels, channels, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(channels),
    ]
