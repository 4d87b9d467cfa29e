"""Networks of Mask-VOS (CVPR 2023): keys and skips of a frame, embeddings of a frame with a mask, masks from both.

The output stride of all maps is 8, but for the finer of the two skips, whose stride is 4.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones import ResNetEncoder
from mmsigma.registry import MODELS

VALUE_DIMS = 512
SKIP8_DIMS, SKIP4_DIMS = 512, 256


class EncodedFrame(NamedTuple):
    """What is known of frames without any mask.

    Attributes:
        key: What frames are matched by (B, D, h, w), of unit length.
        features: (B, 512, h, w).
        skip8: (B, 512, h, w).
        skip4: (B, 256, 2 h, 2 w).
    """

    key: Tensor
    features: Tensor
    skip8: Tensor
    skip4: Tensor


@MODELS.register_module()
class KeyEncoder(BaseModule):
    """The visual encoder E: a ResNet with stride 8, a key for matching, and skips for the decoder.

    ResNet-18 gives its four stages, ResNet-50 its first three, of which the last is reduced to 512 channels.

    Args:
        depth: 18 or 50.
        key_dims: Channels D of the key.
        key_layers: 2 for the head of the release, with a batch norm between; 1 for the paper's single convolution.
        skips: Have the skips, which only the decoder needs.
        padding_mode: Of the ResNet's convolutions: ``'zeros'``, or ``'reflect'`` (CRW).
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If ``key_layers`` is neither.
    """

    stride = 8

    def __init__(
        self,
        depth: int = 18,
        key_dims: int = 128,
        key_layers: int = 2,
        *,
        skips: bool = True,
        padding_mode: str = 'zeros',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = ResNetEncoder(depth, out_stage=4 if depth == 18 else 3, padding_mode=padding_mode)
        widths = [self.backbone.embed_dims // 2 ** (self.backbone.out_stage - stage) for stage in (1, 2)]
        self.reduce = nn.Identity() if depth == 18 else projection(self.backbone.embed_dims, VALUE_DIMS)
        if skips:
            self.skip8, self.skip4 = projection(widths[1], SKIP8_DIMS), projection(widths[0], SKIP4_DIMS)
        self.key, self.embed_dims = key_head(key_dims, key_layers), key_dims

    def forward(self, images: Tensor) -> Tensor:
        """Keys (B, D, h, w) of normalised images (B, 3, H, W)."""
        return F.normalize(self.key(self.reduce(self.backbone(images))), dim=1)

    def pooled_keys(self, images: Tensor) -> Tensor:
        """One key each (B, D), of the mean of their features, of normalised images (B, 3, H, W)."""
        features = self.reduce(self.backbone(images)).mean(dim=(2, 3), keepdim=True)
        return F.normalize(self.key(features)[..., 0, 0], dim=1)

    def encode(self, images: Tensor) -> EncodedFrame:
        """All there is of normalised images (B, 3, H, W)."""
        stages = self.backbone.stages(images)
        features = self.reduce(stages[-1])
        key = F.normalize(self.key(features), dim=1)
        return EncodedFrame(key, features, self.skip8(stages[1]), self.skip4(stages[0]))


@MODELS.register_module()
class FrameMaskEncoder(BaseModule):
    """The frame-mask encoder V: what an object looks like, from a frame and its mask; one object at a time.

    Args:
        depth: Of the ResNet, 18 or 50, up to stage 3.
        fused: Combine its maps with the features of the visual encoder by residual blocks and attention, as the
            release does; the paper has a single convolution.
        init_cfg: mmengine's initialisation config.
    """

    def __init__(self, depth: int = 18, *, fused: bool = True, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = ResNetEncoder(depth, out_stage=3, in_channels=4)
        width = self.backbone.embed_dims
        self.reduce = nn.Conv2d(width, VALUE_DIMS, 1) if depth == 50 or not fused else nn.Identity()
        self.fused = fused
        if fused:
            inner = VALUE_DIMS if depth == 50 else width
            self.block1 = ResidualBlock(inner + VALUE_DIMS, VALUE_DIMS)
            self.attention = ConvolutionalAttention(VALUE_DIMS)
            self.block2 = ResidualBlock(VALUE_DIMS, VALUE_DIMS)

    def forward(self, images: Tensor, masks: Tensor, features: Tensor) -> Tensor:
        """Embed frames with a mask each.

        Args:
            images: Normalised (B, 3, H, W).
            masks: Of one object (B, 1, H, W), in 0..1.
            features: Of the visual encoder (B, 512, h, w).

        Returns:
            (B, 512, h, w).
        """
        maps = self.reduce(self.backbone(torch.cat([images, masks], dim=1)))
        if not self.fused:
            return maps
        maps = self.block1(torch.cat([maps, features], dim=1))
        return self.block2(maps + self.attention(maps))


@MODELS.register_module()
class MaskDecoder(BaseModule):
    """The mask decoder D: logits of an object's mask from what the memory holds of it and a guess embedded by V."""

    def __init__(self, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.compress = ResidualBlock(2 * VALUE_DIMS, 512)
        self.skip8, self.block8 = nn.Conv2d(SKIP8_DIMS, 512, 3, padding=1), ResidualBlock(512, 256)
        self.skip4, self.block4 = nn.Conv2d(SKIP4_DIMS, 256, 3, padding=1), ResidualBlock(256, 128)
        self.pred = nn.Conv2d(128, 1, 3, padding=1)

    def forward(self, readout: Tensor, guess: Tensor, skip8: Tensor, skip4: Tensor) -> Tensor:
        """Decode one object of each frame.

        Args:
            readout: What the memory holds (B, 512, h, w).
            guess: Embedding of the frame with a guess of the mask (B, 512, h, w).
            skip8: (B, 512, h, w).
            skip4: (B, 256, 2 h, 2 w).

        Returns:
            Logits (B, 1, 8 h, 8 w).
        """
        maps = self.compress(torch.cat([readout, guess], dim=1))
        maps = self.block8(maps + self.skip8(skip8))
        maps = self.block4(_enlarge(maps, 2) + self.skip4(skip4))
        return _enlarge(self.pred(F.relu(maps)), 4)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions after a ReLU each, without normalisation, and a 3x3 shortcut where the width changes."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        widens = in_channels != out_channels
        self.downsample = nn.Conv2d(in_channels, out_channels, 3, padding=1) if widens else None
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        residue = self.conv2(F.relu(self.conv1(F.relu(maps))))
        return residue + (maps if self.downsample is None else self.downsample(maps))


class ConvolutionalAttention(nn.Module):
    """Gates for channels, from their means and maxima in space, then for places, from those over channels (CBAM)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.ReLU(), nn.Linear(channels // reduction, channels)
        )
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, maps: Tensor) -> Tensor:
        gate = self.mlp(maps.mean(dim=(2, 3))) + self.mlp(maps.amax(dim=(2, 3)))
        maps = maps * gate.sigmoid()[..., None, None]
        places = torch.stack([maps.amax(dim=1), maps.mean(dim=1)], dim=1)
        return maps * self.spatial(places).sigmoid()


def key_head(key_dims: int, key_layers: int) -> nn.Sequential:
    """From features to keys: one convolution of 1x1, or two with a batch norm between.

    Raises:
        ValueError: If there are neither one nor two.
    """
    if key_layers not in (1, 2):
        raise ValueError(f'key_layers must be 1 or 2, got {key_layers}')
    last = nn.Conv2d(VALUE_DIMS, key_dims, 1)
    return nn.Sequential(*projection(VALUE_DIMS, VALUE_DIMS), last) if key_layers == 2 else nn.Sequential(last)


def projection(in_channels: int, out_channels: int) -> nn.Sequential:
    """To other channels, cell by cell: a 1x1 convolution, batch norm and ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def _enlarge(maps: Tensor, factor: int) -> Tensor:
    return F.interpolate(maps, scale_factor=factor, mode='bilinear', align_corners=False)
