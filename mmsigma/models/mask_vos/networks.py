"""Networks of Mask-VOS (CVPR 2023): visual encoder E, frame-mask encoder V and mask decoder D.

All maps have a stride of 8, except for the finer one of the two skips, whose stride is 4. E, V and D have to agree on
their ``width`` W, the number of channels of what they exchange, which is 512 in the paper.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones import ResNetEncoder
from mmsigma.models.backbones.resnet import PaddingMode
from mmsigma.registry import MODELS

WIDTH = 512


class EncodedFrame(NamedTuple):
    """Encoding of B frames by the visual encoder E.

    Attributes:
        key: Keys for matching frames, ``(B, D, h, w)``, of unit length.
        features: Features for the frame-mask encoder V, ``(B, W, h, w)``.
        skip8: Coarser maps for the decoder D, ``(B, W, h, w)``.
        skip4: Finer maps for the decoder D, ``(B, W / 2, 2 h, 2 w)``.
    """

    key: Tensor
    features: Tensor
    skip8: Tensor
    skip4: Tensor


@MODELS.register_module()
class KeyEncoder(BaseModule):
    """Visual encoder E: a ResNet of stride 8 with keys for matching and skips for the decoder.

    ResNet-18 is used up to its fourth stage, ResNet-50 up to its third; features have ``width`` channels, to which
    others are reduced.

    Args:
        depth: Number of layers of the ResNet, 18 or 50.
        key_dims: Number D of channels of the keys.
        key_layers: Number of convolutions that compute the keys: 2 with a batch norm between as in the release, or 1 as
            in the paper.
        skips: Whether to build the skips, which only the decoder needs.
        frozen: Whether to train only keys and skips, and keep the ResNet, its batch statistics included, as it is
            (the second stage of the release).
        padding_mode: Padding of the convolutions of the ResNet, ``'zeros'`` or ``'reflect'`` (CRW).
        width: Number W of channels of features and skips, a multiple of 16; that of mask encoder and decoder.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        ValueError: If ``depth`` or ``key_layers`` is none of these.
    """

    stride = 8

    def __init__(
        self,
        depth: int = 18,
        key_dims: int = 128,
        key_layers: int = 2,
        *,
        skips: bool = True,
        frozen: bool = False,
        padding_mode: PaddingMode = 'zeros',
        width: int = WIDTH,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = ResNetEncoder(depth, out_stage=4 if depth == 18 else 3, padding_mode=padding_mode)
        found = self.backbone.embed_dims
        # the ResNet-18 of the release ends with the width, and has no projection
        self.reduce = nn.Identity() if depth == 18 and found == width else projection(found, width)
        if skips:
            second, first = (found // 2 ** (self.backbone.out_stage - stage) for stage in (2, 1))
            self.skip8, self.skip4 = skips_of(second, first, width)
        self.key, self.embed_dims = key_head(key_dims, key_layers, width), key_dims
        self.frozen = (self.backbone, self.reduce) if frozen else ()
        for part in self.frozen:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> 'KeyEncoder':
        """Set the mode of training, but not of frozen parts."""
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Compute keys ``(B, D, h, w)`` of normalised images ``(B, 3, H, W)``."""
        return F.normalize(self.key(self.reduce(self.backbone(images))), dim=1)

    def pooled_keys(self, images: Tensor) -> Tensor:
        """Compute one key ``(B, D)`` for each normalised image ``(B, 3, H, W)`` from the mean of its features."""
        features = self.reduce(self.backbone(images)).mean(dim=(2, 3), keepdim=True)
        return F.normalize(self.key(features)[..., 0, 0], dim=1)

    def encode(self, images: Tensor) -> EncodedFrame:
        """Encode normalised images ``(B, 3, H, W)`` as keys, features and skips."""
        stages = self.backbone.stages(images)
        features = self.reduce(stages[-1])
        key = F.normalize(self.key(features), dim=1)
        return EncodedFrame(key, features, self.skip8(stages[1]), self.skip4(stages[0]))


@MODELS.register_module()
class FrameMaskEncoder(BaseModule):
    """Frame-mask encoder V, which embeds the appearance of one object, given a frame and its mask.

    Args:
        depth: Number of layers of the ResNet, 18 or 50, which is used up to its third stage.
        fused: Whether to fuse its maps with the features of the visual encoder in residual blocks with attention, as in
            the release; the paper has a single convolution instead.
        width: Number W of channels of features and embeddings; that of visual encoder and decoder.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    def __init__(
        self, depth: int = 18, *, fused: bool = True, width: int = WIDTH, init_cfg: dict[str, Any] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = ResNetEncoder(depth, out_stage=3, in_channels=4)
        found, reduced = self.backbone.embed_dims, depth == 50 or not fused
        self.reduce = nn.Conv2d(found, width, 1) if reduced else nn.Identity()
        self.fused = fused
        if fused:
            self.block1 = ResidualBlock((width if reduced else found) + width, width)
            self.attention = ConvolutionalAttention(width)
            self.block2 = ResidualBlock(width, width)

    def forward(self, images: Tensor, masks: Tensor, features: Tensor) -> Tensor:
        """Embed one object of each frame.

        Args:
            images: Normalised images ``(B, 3, H, W)``.
            masks: Mask of the object in each image, ``(B, 1, H, W)``, in 0..1.
            features: Features of the visual encoder, ``(B, W, h, w)``.

        Returns:
            Embeddings ``(B, W, h, w)``.
        """
        maps: Tensor = self.reduce(self.backbone(torch.cat([images, masks], dim=1)))
        if not self.fused:
            return maps
        maps = self.block1(torch.cat([maps, features], dim=1))
        fused: Tensor = self.block2(maps + self.attention(maps))
        return fused


@MODELS.register_module()
class MaskDecoder(BaseModule):
    """Mask decoder D, which decodes the mask of one object from its read-out and a guess embedded by V.

    Args:
        width: Number W of channels of its inputs; that of visual encoder and mask encoder.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    def __init__(self, width: int = WIDTH, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        half, quarter = width // 2, width // 4
        self.compress = ResidualBlock(2 * width, width)
        self.skip8, self.block8 = nn.Conv2d(width, width, 3, padding=1), ResidualBlock(width, half)
        self.skip4, self.block4 = nn.Conv2d(half, half, 3, padding=1), ResidualBlock(half, quarter)
        self.pred = nn.Conv2d(quarter, 1, 3, padding=1)

    def forward(self, readout: Tensor, guess: Tensor, skip8: Tensor, skip4: Tensor) -> Tensor:
        """Decode one object of each frame.

        Args:
            readout: Embeddings read from the memory, ``(B, W, h, w)``.
            guess: Embeddings of the frames with a guess of the mask, ``(B, W, h, w)``.
            skip8: Coarser maps of the visual encoder, ``(B, W, h, w)``.
            skip4: Finer maps of the visual encoder, ``(B, W / 2, 2 h, 2 w)``.

        Returns:
            Logits ``(B, 1, 8 h, 8 w)``.
        """
        maps = self.compress(torch.cat([readout, guess], dim=1))
        maps = self.block8(maps + self.skip8(skip8))
        maps = self.block4(_enlarge(maps, 2) + self.skip4(skip4))
        return _enlarge(self.pred(F.relu(maps)), 4)


class ResidualBlock(nn.Module):
    """Residual block of two 3x3 convolutions, each after a ReLU, without norms.

    A 3x3 convolution on the shortcut changes the number of channels where necessary.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        widens = in_channels != out_channels
        self.downsample = nn.Conv2d(in_channels, out_channels, 3, padding=1) if widens else None
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        residue: Tensor = self.conv2(F.relu(self.conv1(F.relu(maps))))
        return residue + (maps if self.downsample is None else self.downsample(maps))


class ConvolutionalAttention(nn.Module):
    """Convolutional block attention (CBAM): gates of the channels, then gates of the positions.

    Gates of channels follow from means and maxima over positions, gates of positions from those over channels.
    """

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
        gated: Tensor = maps * self.spatial(places).sigmoid()
        return gated


def key_head(key_dims: int, key_layers: int, width: int = WIDTH) -> nn.Sequential:
    """Build the layers from features to keys: one 1x1 convolution, or two with a batch norm and a ReLU between.

    Args:
        key_dims: Number of channels of the keys.
        key_layers: Number of convolutions, 1 or 2.
        width: Number of channels of the features.

    Raises:
        ValueError: If ``key_layers`` is neither.
    """
    if key_layers not in (1, 2):
        raise ValueError(f'key_layers must be 1 or 2, got {key_layers}')
    last = nn.Conv2d(width, key_dims, 1)
    return nn.Sequential(*projection(width, width), last) if key_layers == 2 else nn.Sequential(last)


def projection(in_channels: int, out_channels: int) -> nn.Sequential:
    """Build a projection of each cell to other channels: a 1x1 convolution, batch norm and ReLU."""
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))


def skips_of(coarse: int, fine: int, width: int = WIDTH) -> tuple[nn.Sequential, nn.Sequential]:
    """Build the projections of the coarser and the finer maps of an encoder, with so many channels, to the skips."""
    return projection(coarse, width), projection(fine, width // 2)


def _enlarge(maps: Tensor, factor: int) -> Tensor:
    return F.interpolate(maps, scale_factor=factor, mode='bilinear', align_corners=False)
