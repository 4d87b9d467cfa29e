"""Encoders of single frames: dense features for label propagation and unsupervised segmentation.

Each maps normalised images (B, 3, H, W), with sides that are multiples of ``stride``, to maps (B, embed_dims, h, w) of
one cell per ``stride`` pixels. :func:`encode_frames` makes video transformers do the same.
"""

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.func import functional_call
from torchvision.models import resnet18, resnet50

from mmsigma.models.backbones.timm_weights import create_timm_vit, resize_dino_positions
from mmsigma.ops.colour import rgb_to_lab
from mmsigma.registry import MODELS

_RESNETS = {18: (resnet18, 64), 50: (resnet50, 256)}


@MODELS.register_module()
class ResNetEncoder(BaseModule):
    """ResNet with an output stride of 8: stages 3 and 4 keep the resolution, without dilation (CRW, DUL, Mask-VOS).

    Parameters have torchvision's names.

    Args:
        depth: 18 or 50.
        out_stage: The last stage, 3 or 4; later ones do not exist. Mask-VOS uses 4 of ResNet-18 and 3 of ResNet-50,
            CRW is tested with 3 of ResNet-18.
        padding_mode: Of convolutions: ``'zeros'``, or ``'reflect'`` (CRW).
        in_channels: Other than 3, the first convolution has a bias (the frame-mask encoder of Mask-VOS).
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If there is no such network.
    """

    stride = 8

    def __init__(
        self,
        depth: int = 18,
        out_stage: int = 4,
        padding_mode: str = 'zeros',
        in_channels: int = 3,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if depth not in _RESNETS or out_stage not in (3, 4):
            raise ValueError(f'depth must be 18 or 50 and out_stage 3 or 4, got {depth} and {out_stage}')
        build, width = _RESNETS[depth]
        network = build(weights=None)
        if in_channels != 3:
            network.conv1 = nn.Conv2d(in_channels, 64, 7, stride=2, padding=3)
        self.out_stage, self.embed_dims = out_stage, width * 2 ** (out_stage - 1)
        self.stem = ('conv1', 'bn1', 'relu', 'maxpool')
        for name in (*self.stem, *(f'layer{stage}' for stage in range(1, out_stage + 1))):
            self.add_module(name, getattr(network, name))
        for stage in range(3, out_stage + 1):
            for module in getattr(self, f'layer{stage}').modules():
                if isinstance(module, nn.Conv2d):
                    module.stride = (1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.padding != (0, 0):
                module.padding_mode = padding_mode

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, embed_dims, H / 8, W / 8) of the last stage."""
        return self.stages(images)[-1]

    def stages(self, images: Tensor) -> list[Tensor]:
        """Maps of all stages: the first has a stride of 4, the others of 8."""
        for name in self.stem:
            images = getattr(self, name)(images)
        maps = []
        for stage in range(1, self.out_stage + 1):
            images = getattr(self, f'layer{stage}')(images)
            maps.append(images)
        return maps


@MODELS.register_module()
class TimmViTEncoder(BaseModule):
    """Last layer's patch tokens of a vision transformer of timm (DINO, DINOv2), for images of any size.

    Positions are resized from those of the checkpoint by the rule of the DINO releases.

    Args:
        model_name: Of timm.
        weights: A checkpoint with timm's or DINO's parameter names, ``'hub'``, or ``'random'``.
        model_kwargs: Further arguments of ``timm.create_model``.
    """

    def __init__(
        self, model_name: str = 'vit_small_patch8_224.dino', weights: str = 'hub', model_kwargs: dict | None = None
    ) -> None:
        super().__init__()
        encoder = create_timm_vit(model_name, weights, 'model.backbone.weights', **(model_kwargs or {}))
        self.embed_dims: int = encoder.num_features
        (self.stride, _) = encoder.patch_embed.patch_size
        encoder.patch_embed.strict_img_size = False
        self.shield = _Shield(encoder)

    def forward(self, images: Tensor) -> Tensor:
        """Maps (B, embed_dims, H / stride, W / stride)."""
        encoder = self.shield.encoder
        grid = tuple(side // self.stride for side in images.shape[-2:])
        prefix = 0 if encoder.no_embed_class else encoder.num_prefix_tokens
        # the module keeps the positions of its own size, which checkpoints hold and training moves
        positions = resize_dino_positions(encoder.pos_embed, prefix, grid)
        tokens = functional_call(self.shield, {'encoder.pos_embed': positions}, images)
        return tokens[:, encoder.num_prefix_tokens :].transpose(1, 2).unflatten(-1, grid)


class _Shield(nn.Module):
    """Hides ``init_weights`` of timm's models from mmengine, which would overwrite what was loaded."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder.forward_features(images)


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


def encode_frames(backbone: nn.Module, images: Tensor) -> Tensor:
    """Maps (B, embed_dims, h, w) of normalised images (B, 3, H, W), by a frame encoder or a video transformer.

    A video transformer sees each image as a clip in which nothing moves, as long as one tube; it needs
    ``dynamic_size=True``.
    """
    tubelet_size = getattr(backbone, 'tubelet_size', None)
    if tubelet_size is None:
        return backbone(images)
    tokens = backbone(images[:, :, None].expand(-1, -1, tubelet_size, -1, -1))
    return tokens.transpose(1, 2).unflatten(-1, [side // backbone.stride for side in images.shape[-2:]])
