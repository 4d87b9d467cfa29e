"""Alternative visual encoders E for Mask-VOS (CVPR 2023): the network of MAST, and vision transformers."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.models.backbones import MASTEncoder
from mmsigma.models.backbones.frame_features import encode_frames
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.models.mask_vos.networks import WIDTH, EncodedFrame, key_head, projection, skips_of
from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS


@MODELS.register_module()
class MASTKeyEncoder(BaseModule):
    """Network of MAST (CVPR 2020), whose features at a stride of 4, averaged over 2 x 2 cells, are the keys.

    The paper does not describe how masks are learnt together with the loss of MAST. Here, the loss remains on features
    at a stride of 4, and all inputs of the decoder have the stride of 8 that it is built for. Keys have no parameters
    of their own, so that the loss trains them, which the clustering before the first masks requires.

    After training, the inner network is a backbone for :class:`LabelPropagation` with ``MASTEncoder``.

    Args:
        skips: Whether to build features and skips, which only the decoder needs.
        width: Number W of channels of features and skips; that of mask encoder and decoder.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    stride, fine_stride = 8, 4
    mean: Tensor  # (3, 1, 1), on the scale 0..1
    std: Tensor  # (3, 1, 1), on the scale 0..1

    def __init__(self, *, skips: bool = True, width: int = WIDTH, init_cfg: dict[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MASTEncoder()
        self.embed_dims = self.backbone.embed_dims
        if skips:
            self.reduce = projection(256, width)
            self.skip8, self.skip4 = skips_of(256, 128, width)
        self.register_buffer('mean', torch.tensor(IMAGENET_MEAN).view(-1, 1, 1) / 255, persistent=False)
        self.register_buffer('std', torch.tensor(IMAGENET_STD).view(-1, 1, 1) / 255, persistent=False)

    def lab(self, images: Tensor) -> Tensor:
        """Convert normalised images ``(..., 3, H, W)`` to Lab colours ``(..., 3, H, W)``."""
        return rgb_to_lab((images * self.std + self.mean).clamp(0, 1))

    def colour_features(self, lab: Tensor) -> Tensor:
        """Encode Lab images ``(B, 3, H, W)`` as features ``(B, 64, H / 4, W / 4)`` of any length."""
        return self.backbone.encode_lab(lab)

    def forward(self, images: Tensor) -> Tensor:
        """Compute keys ``(B, 64, h, w)`` of normalised images ``(B, 3, H, W)``."""
        return _key(self.colour_features(self.lab(images)))

    def fine_keys(self, images: Tensor) -> Tensor:
        """Compute keys ``(B, 64, H / 4, W / 4)`` of normalised images ``(B, 3, H, W)``, before their average."""
        return F.normalize(self.colour_features(self.lab(images)), dim=1)

    def encode(self, images: Tensor) -> EncodedFrame:
        """Encode normalised images ``(B, 3, H, W)`` as keys, features and skips."""
        *_, second, third, last = self.backbone.stages(self.lab(images))
        key = _key(self.backbone.post_convolution(last))
        return EncodedFrame(
            key, self.reduce(F.avg_pool2d(last, 2)), self.skip8(F.avg_pool2d(third, 2)), self.skip4(second)
        )


def _key(maps: Tensor) -> Tensor:
    return F.normalize(F.avg_pool2d(maps, 2), dim=1)


@MODELS.register_module()
class ViTKeyEncoder(BaseModule):
    """Vision transformer, or another frame encoder, instead of the ResNet, with keys and features from its last maps.

    Tokens of patches larger than 8 pixels are interpolated to cells of 8 pixels. Transformers have no finer maps, which
    the decoder needs for the boundaries of objects; three convolutions of the image compute them instead. Convolutional
    networks have finer maps of their own.

    Args:
        encoder: Config of a frame encoder (``TimmEncoder``), or of a video transformer with ``dynamic_size=True``,
            which sees each image as a clip in which nothing moves.
        key_dims: Number D of channels of the keys.
        key_layers: Number of convolutions that compute the keys, 1 or 2.
        skips: Whether to build the skips, which only the decoder needs.
        own_skips: Whether the skips are projections of the encoder's own maps of strides 8 and 4, of a
            ``TimmEncoder`` with a convolutional network.
        width: Number W of channels of features and skips; that of mask encoder and decoder.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        CheckpointError: If the weights of the encoder cannot be fetched.
        ValueError: If the side of a patch is not a multiple of 8, ``key_layers`` is neither 1 nor 2, or the encoder has
            no maps for ``own_skips``.
    """

    stride = 8

    def __init__(
        self,
        encoder: dict[str, Any],
        key_dims: int = 128,
        key_layers: int = 2,
        *,
        skips: bool = True,
        own_skips: bool = False,
        width: int = WIDTH,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        try:
            self.backbone = MODELS.build(encoder)
        except CheckpointError as error:  # the message names the key of an encoder that is the backbone itself
            raise CheckpointError(str(error).replace('model.backbone.', 'model.backbone.encoder.')) from error
        if self.backbone.stride % self.stride:
            raise ValueError(
                f'patches of {self.backbone.stride} pixels do not make cells of {self.stride}: choose an encoder with '
                'patches of 8 or 16'
            )
        self.reduce = projection(self.backbone.embed_dims, width)
        self.key, self.embed_dims = key_head(key_dims, key_layers, width), key_dims
        self.own_skips = own_skips
        if own_skips:
            finer: dict[int, int] = getattr(self.backbone, 'finer_dims', {})
            if not {4, 8} <= finer.keys() or self.backbone.stride <= self.stride:
                raise ValueError(
                    'own_skips needs an encoder with maps of strides 4 and 8 below its last ones, as TimmEncoder has '
                    f'of convolutional networks; the finer ones of this {type(self.backbone).__name__} have strides '
                    f'{sorted(finer)}'
                )
            self.skip8, self.skip4 = skips_of(finer[8], finer[4], width)
        elif skips:
            self.detail4 = nn.Sequential(_halving(3, 64), _halving(64, 128))
            self.detail8 = _halving(128, 256)
            self.skip8, self.skip4 = skips_of(256, 128, width)

    def features(self, images: Tensor) -> Tensor:
        """Compute features ``(B, width, H / 8, W / 8)`` of normalised images ``(B, 3, H, W)``; 8 divides the sides."""
        return self._cells(encode_frames(self.backbone, self._padded(images)), images.shape[-2:])

    def _padded(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        return F.pad(images, (0, -width % self.backbone.stride, 0, -height % self.backbone.stride))

    def _cells(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Return the features of images of a size, of the maps of padded ones."""
        maps = self.reduce(maps)
        if self.backbone.stride != self.stride:
            scale = self.backbone.stride // self.stride
            maps = F.interpolate(maps, scale_factor=scale, mode='bilinear', align_corners=False)
        return _cropped(maps, size, self.stride)

    def forward(self, images: Tensor) -> Tensor:
        """Compute keys ``(B, D, h, w)`` of normalised images ``(B, 3, H, W)``."""
        return F.normalize(self.key(self.features(images)), dim=1)

    def encode(self, images: Tensor) -> EncodedFrame:
        """Encode normalised images ``(B, 3, H, W)`` as keys, features and skips."""
        size = images.shape[-2:]
        if self.own_skips:
            fine, coarse, last = self.backbone.pyramid(self._padded(images), (4, 8))
            fine, coarse = _cropped(fine, size, 4), _cropped(coarse, size, 8)
            features = self._cells(last, size)
        else:
            features = self.features(images)
            fine = self.detail4(images)
            coarse = self.detail8(fine)
        return EncodedFrame(F.normalize(self.key(features), dim=1), features, self.skip8(coarse), self.skip4(fine))


def _cropped(maps: Tensor, size: Sequence[int], stride: int) -> Tensor:
    """Return the cells of images of a size in pixels, of the maps of padded ones."""
    return maps[..., : size[0] // stride, : size[1] // stride]


def _halving(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
