"""ResNet-50 version 2 (pre-activation) as Keras has it, cut in its fourth stage: GTA's frame encoder.

Neither timm's nor torchvision's networks can be made equal. Here the *last* block of a stage has the stride, its
shortcut takes every second pixel, the first convolution and those that end a block have biases, padding before pooling
is with zeros, and batch norms have an epsilon of 1.001e-5.
"""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.registry import MODELS

TRAIN_MODES = ('scratch', 'train_all', 'only_bn', 'frozen')
_DEPTHS = (3, 4, 6, 3)
_NORM = dict(eps=1.001e-5, momentum=0.01)  # Keras' momentum of 0.99


def set_train_mode(backbone: nn.Module, mode: str) -> None:
    """Choose which parameters of a backbone are trained; statistics of its norms are a matter of ``train()``.

    ``'scratch'`` and ``'train_all'``: all; ``'only_bn'``: scale and shift of the norms; ``'frozen'``: none.

    Raises:
        ValueError: If there is no such mode, or ``'only_bn'`` finds no norm.
    """
    if mode not in TRAIN_MODES:
        raise ValueError(f'train_mode must be one of {TRAIN_MODES}, got {mode!r}')
    if hasattr(backbone, 'train_mode'):
        backbone.train_mode = mode  # of those that know their own, which is not to say something else
    backbone.requires_grad_(mode in ('scratch', 'train_all'))
    if mode == 'only_bn':
        norms = [m for m in backbone.modules() if isinstance(m, (nn.modules.batchnorm._NormBase, nn.LayerNorm))]
        if not norms:
            raise ValueError(f'{type(backbone).__name__} has no norms to train with train_mode="only_bn"')
        for norm in norms:
            norm.requires_grad_()


class PreActivationBlock(nn.Module):
    """Bottleneck whose norm and activation come before the convolutions; its result is the plain sum.

    Args:
        in_channels: Width of its input.
        width: Of its 3x3 convolution; the result has four times as many channels.
        stride: Of its 3x3 convolution.
        project: Whether a convolution changes the width of the shortcut.
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
        """Maps (B, 4 * width, h, w) of maps (B, in_channels, H, W)."""
        active = F.relu(self.preact_bn(x))
        if self.shortcut is not None:
            x = self.shortcut(active)
        elif self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        active = F.relu(self.bn1(self.conv1(active)))
        active = F.relu(self.bn2(self.conv2(active)))
        return x + self.conv3(active)


@MODELS.register_module()
class ResNet50V2Encoder(BaseModule):
    """Maps of single frames: Keras' ResNet50V2 up to ``conv4_block3_out``, 1024 channels, a stride of 16.

    Images are RGB in -1..1. The result is a sum without norm and activation.

    Args:
        train_mode: ``'scratch'`` or ``'train_all'`` train everything, ``'only_bn'`` (GTA's best) scale and shift of the
            norms, ``'frozen'`` nothing. Statistics of the norms follow the batches, but of ``'frozen'``.
        num_blocks: Blocks of the fourth stage, 1 to 5 (6, the whole stage, has another stride).
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If there is no such mode, or number of blocks.
    """

    stride = 16
    embed_dims = 1024

    def __init__(self, train_mode: str = 'only_bn', num_blocks: int = 3, init_cfg: dict | None = None) -> None:
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
            if isinstance(module, nn.Conv2d):  # as Keras starts, should nothing be loaded
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.train_mode = train_mode
        set_train_mode(self, train_mode)

    def train(self, mode: bool = True) -> 'ResNet50V2Encoder':
        """As always, but a frozen one stays in its inference mode."""
        return super().train(mode and self.train_mode != 'frozen')

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, 1024, H / 16, W / 16), rounded up, of images (B, 3, H, W)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.train_mode != 'frozen'):
            return self.stages(images)[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """What each part gives: convolution, pooling, and the stages 2, 3 and 4."""
        maps = [self.conv1(images)]
        maps.append(F.max_pool2d(F.pad(maps[-1], (1, 1, 1, 1)), 3, stride=2))
        for stage in (self.stage2, self.stage3, self.stage4):
            maps.append(stage(maps[-1]))
        return maps
