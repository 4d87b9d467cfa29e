"""Other networks in the place of the visual encoder E of Mask-VOS: MAST's, and vision transformers."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.checkpoints.io import CheckpointError
from mmsigma.models.backbones import MASTEncoder
from mmsigma.models.backbones.frame_features import encode_frames
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.models.mask_vos.networks import SKIP4_DIMS, SKIP8_DIMS, VALUE_DIMS, EncodedFrame, key_head, projection
from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS


@MODELS.register_module()
class MASTKeyEncoder(BaseModule):
    """The network of MAST, whose features at a stride of 4, averaged over 2 x 2 cells, are the keys.

    How masks are learnt together with MAST's loss, the paper does not say. Here the loss stays what it is, on features
    at a stride of 4, and all that the decoder reads has the stride of 8 that it is built for. The keys have no
    parameters of their own: the loss trains them, as clustering before the first masks needs.

    Trained, the network inside is a backbone for :class:`LabelPropagation` with ``MASTEncoder``.

    Args:
        skips: Have the maps that only the decoder needs.
        init_cfg: mmengine's initialisation config.
    """

    stride = 8

    def __init__(self, *, skips: bool = True, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.backbone = MASTEncoder()
        self.embed_dims = self.backbone.embed_dims
        if skips:
            self.reduce = projection(256, VALUE_DIMS)
            self.skip8, self.skip4 = projection(256, SKIP8_DIMS), projection(128, SKIP4_DIMS)
        self.register_buffer('mean', torch.tensor(IMAGENET_MEAN).view(-1, 1, 1) / 255, persistent=False)
        self.register_buffer('std', torch.tensor(IMAGENET_STD).view(-1, 1, 1) / 255, persistent=False)

    def lab(self, images: Tensor) -> Tensor:
        """Lab colours (..., 3, H, W) of normalised images (..., 3, H, W)."""
        return rgb_to_lab((images * self.std + self.mean).clamp(0, 1))

    def colour_features(self, lab: Tensor) -> Tensor:
        """Features (B, 64, H / 4, W / 4) of Lab images (B, 3, H, W), of any length."""
        return self.backbone.encode_lab(lab)

    def forward(self, images: Tensor) -> Tensor:
        """Keys (B, 64, h, w) of normalised images (B, 3, H, W)."""
        return _key(self.colour_features(self.lab(images)))

    def encode(self, images: Tensor) -> EncodedFrame:
        """All there is of normalised images (B, 3, H, W)."""
        *_, second, third, last = self.backbone.stages(self.lab(images))
        key = _key(self.backbone.post_convolution(last))
        return EncodedFrame(
            key, self.reduce(F.avg_pool2d(last, 2)), self.skip8(F.avg_pool2d(third, 2)), self.skip4(second)
        )


def _key(maps: Tensor) -> Tensor:
    return F.normalize(F.avg_pool2d(maps, 2), dim=1)


@MODELS.register_module()
class ViTKeyEncoder(BaseModule):
    """A vision transformer in the place of the ResNet, with keys and features of its last layer's tokens.

    Tokens of patches larger than 8 pixels are interpolated to cells of 8. Transformers have no finer maps, which the
    decoder needs for the borders of objects: three convolutions of the image give them.

    Args:
        encoder: Config of a frame encoder (``TimmViTEncoder``) or of a video transformer, which sees each image as a
            clip in which nothing moves and needs ``dynamic_size=True``.
        key_dims: Channels D of the key.
        key_layers: Convolutions of the head, 1 or 2.
        skips: Have the finer maps, which only the decoder needs.
        init_cfg: mmengine's initialisation config.

    Raises:
        CheckpointError: If weights of the encoder cannot be fetched.
        ValueError: If the side of a patch is not a multiple of 8.
    """

    stride = 8

    def __init__(
        self,
        encoder: dict,
        key_dims: int = 128,
        key_layers: int = 2,
        *,
        skips: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        try:
            self.backbone = MODELS.build(encoder)
        except CheckpointError as error:  # it names its own key
            raise CheckpointError(str(error).replace('model.backbone.', 'model.backbone.encoder.')) from error
        if self.backbone.stride % self.stride:
            raise ValueError(
                f'patches of {self.backbone.stride} pixels do not make cells of {self.stride}: take an encoder with '
                'patches of 8 or 16'
            )
        self.reduce = projection(self.backbone.embed_dims, VALUE_DIMS)
        self.key, self.embed_dims = key_head(key_dims, key_layers), key_dims
        if skips:
            self.detail4 = nn.Sequential(_halving(3, 64), _halving(64, 128))
            self.detail8 = _halving(128, 256)
            self.skip8, self.skip4 = projection(256, SKIP8_DIMS), projection(128, SKIP4_DIMS)

    def features(self, images: Tensor) -> Tensor:
        """Features (B, 512, H / 8, W / 8) of normalised images (B, 3, H, W), sides multiples of 8."""
        height, width = images.shape[-2:]
        patch = self.backbone.stride
        padded = F.pad(images, (0, -width % patch, 0, -height % patch))
        maps = self.reduce(encode_frames(self.backbone, padded))
        if patch != self.stride:
            maps = F.interpolate(maps, scale_factor=patch // self.stride, mode='bilinear', align_corners=False)
        return maps[..., : height // self.stride, : width // self.stride]

    def forward(self, images: Tensor) -> Tensor:
        """Keys (B, D, h, w) of normalised images (B, 3, H, W)."""
        return F.normalize(self.key(self.features(images)), dim=1)

    def encode(self, images: Tensor) -> EncodedFrame:
        """All there is of normalised images (B, 3, H, W)."""
        features = self.features(images)
        fine = self.detail4(images)
        return EncodedFrame(
            F.normalize(self.key(features), dim=1), features, self.skip8(self.detail8(fine)), self.skip4(fine)
        )


def _halving(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )
