"""ResNet-50 version 2 (pre-activation) as in Keras, cut in its fourth stage: the frame encoder of GTA (CVPR 2021).

No network of timm or torchvision can be configured to equal it: the *last* block of a stage has the stride, its
shortcut takes every second pixel, the first convolution and the last one of each block have biases, the input of the
pooling is padded with zeros, and batch norms have an epsilon of 1.001e-5.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.interfaces import Network
from mmsigma.registry import MODELS

TrainMode = Literal['scratch', 'train_all', 'only_bn', 'frozen']
TRAIN_MODES: tuple[TrainMode, ...] = ('scratch', 'train_all', 'only_bn', 'frozen')
_DEPTHS = (3, 4, 6, 3)
_NORM: dict[str, Any] = dict(eps=1.001e-5, momentum=0.01)  # what Keras calls a momentum of 0.99


def set_train_mode(backbone: Network, mode: TrainMode) -> None:
    """Choose which parameters of a backbone are trained; ``train()`` decides on the statistics of its norms.

    Args:
        backbone: Backbone to set.
        mode: Parameters to train: all (``'scratch'`` and ``'train_all'``), scale and shift of the norms (``'only_bn'``)
            or none (``'frozen'``).

    Raises:
        ValueError: If the mode is unknown, or is ``'only_bn'`` and the backbone has no norm.
    """
    if mode not in TRAIN_MODES:
        raise ValueError(f'train_mode must be one of {TRAIN_MODES}, got {mode!r}')
    if hasattr(backbone, 'train_mode'):
        backbone.train_mode = mode  # a backbone that has the attribute itself must not disagree
    backbone.requires_grad_(mode in ('scratch', 'train_all'))
    if mode == 'only_bn':
        norms = [m for m in backbone.modules() if isinstance(m, (nn.modules.batchnorm._NormBase, nn.LayerNorm))]
        if not norms:
            raise ValueError(f'{type(backbone).__name__} has no norms to train with train_mode="only_bn"')
        for norm in norms:
            norm.requires_grad_()


class PreActivationBlock(nn.Module):
    """Bottleneck block with norm and activation before each convolution; its output is the sum, without activation.

    Args:
        in_channels: Number of input channels.
        width: Number of channels of the 3x3 convolution; the output has four times as many.
        stride: Stride of the 3x3 convolution.
        project: Whether the shortcut has a convolution, which changes the number of channels.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1, project: bool = False) -> None:
        super().__init__()
        self.stride = stride
        self.preact_bn = nn.BatchNorm2d(in_channels, **_NORM)
        self.shortcut = nn.Conv2d(in_channels, 4 * width, 1, stride) if project else None
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width, **_NORM)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width, **_NORM)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Transform maps ``(B, in_channels, H, W)`` to ``(B, 4 * width, H / stride, W / stride)``."""
        active = F.relu(self.preact_bn(x))
        if self.shortcut is not None:
            x = self.shortcut(active)
        elif self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        active = F.relu(self.bn1(self.conv1(active)))
        active = F.relu(self.bn2(self.conv2(active)))
        out: Tensor = x + self.conv3(active)
        return out


@MODELS.register_module()
class ResNet50V2Encoder(BaseModule):
    """Encoder of single frames: ResNet50V2 of Keras up to ``conv4_block3_out``, with 1024 channels and a stride of 16.

    Images are RGB in -1..1. The output is the sum at the end of a block, without norm or activation.

    Args:
        train_mode: Parameters to train: all (``'scratch'`` and ``'train_all'``), scale and shift of the norms
            (``'only_bn'``, GTA's best) or none (``'frozen'``). Norms use and update the statistics of the batch in
            every mode but ``'frozen'``.
        num_blocks: Number of blocks of the fourth stage, 1 to 5. The sixth would change the stride.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        ValueError: If the mode is unknown or the number of blocks out of range.
    """

    stride = 16
    embed_dims = 1024

    def __init__(
        self, train_mode: TrainMode = 'only_bn', num_blocks: int = 3, init_cfg: dict[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        if not 1 <= num_blocks < _DEPTHS[2]:
            raise ValueError(f'num_blocks must be from 1 to {_DEPTHS[2] - 1}, got {num_blocks}')
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        channels = 64
        for stage, depth in enumerate(_DEPTHS[:3], 2):
            width = 64 * 2 ** (stage - 2)
            blocks: list[nn.Module] = []
            for number in range(num_blocks if stage == 4 else depth):
                blocks.append(PreActivationBlock(channels, width, 2 if number == depth - 1 else 1, number == 0))
                channels = 4 * width
            self.add_module(f'stage{stage}', nn.Sequential(*blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # the initialisation of Keras, in case no weights are loaded
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.train_mode = train_mode
        set_train_mode(self, train_mode)

    def train(self, mode: bool = True) -> 'ResNet50V2Encoder':
        """Set the mode, but keep a frozen encoder in evaluation mode."""
        itself: ResNet50V2Encoder = super().train(mode and self.train_mode != 'frozen')
        return itself

    def forward(self, images: Tensor) -> Tensor:
        """Encode images ``(B, 3, H, W)`` as maps ``(B, 1024, H / 16, W / 16)``, with sides rounded up."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_mode != 'frozen'):
            return self.stages(images)[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the maps after the first convolution, the pooling, and the stages 2, 3 and 4."""
        maps = [self.conv1(images)]
        maps.append(F.max_pool2d(F.pad(maps[-1], (1, 1, 1, 1)), 3, stride=2))
        for stage in (self.stage2, self.stage3, self.stage4):
            maps.append(stage(maps[-1]))
        return maps
