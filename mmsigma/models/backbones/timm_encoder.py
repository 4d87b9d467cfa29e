"""Networks of timm as encoders of frames: vision transformers (DINO, DINOv2) and all networks with feature maps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModule
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.func import functional_call

from mmsigma.models.backbones.timm_weights import create_timm_network, resize_dino_positions
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.ops.precision import NetworkPrecision, check_precision, network_precision
from mmsigma.registry import MODELS


@MODELS.register_module()
class TimmEncoder(BaseModule):
    """Encoder of frames whose maps are those of one stage of a network of timm.

    Stages are those of timm's ``features_only``: one per resolution for convolutional networks, one per block for
    vision transformers, whose maps are the patch tokens after the final norm. What comes after the stage is not built.
    Images may have any size that the network takes; the positions of vision transformers are resized by the rule of
    the DINO releases.

    Networks differ in the mean and the standard deviation that they expect. Images are converted from those of the
    data, ``mean`` and ``std``, to those that timm states for the network.

    Args:
        model_name: Name of the network in timm.
        weights: Path of a checkpoint with the parameter names of timm, or of DINO for vision transformers; ``'hub'`` to
            fetch the weights of timm, or ``'random'``.
        stage: Number of the stage, from 0, or from the last one, -1.
        img_size: Side of images, or (height, width), for which the positions of a vision transformer are resized
            once, instead of for every batch; None for its own size. Other networks have no use for it.
        mean: Mean of each channel with which images were normalised, on the scale 0..255.
        std: Standard deviation of each channel with which images were normalised, on the scale 0..255.
        precision: ``'amp'`` follows autocast, ``'float32'`` disables it, and ``'auto'`` follows it where the processor
            has instructions for bfloat16; see :func:`mmsigma.ops.precision.network_precision`.
        model_kwargs: Further arguments of ``timm.create_model``.

    Raises:
        CheckpointError: If weights cannot be fetched or do not fit.
        ValueError: If timm has no such network, the network has no such stage or no feature maps, or ``precision`` is
            unknown.

    Attributes:
        finer_dims: Number of channels of the finer maps of a convolutional network, by their stride in pixels; see
            :meth:`pyramid`.
    """

    stride: int
    embed_dims: int
    finer_dims: dict[int, int]
    scale: Tensor  # (3, 1, 1)
    offset: Tensor  # (3, 1, 1)

    def __init__(
        self,
        model_name: str = 'vit_small_patch8_224.dino',
        weights: str = 'hub',
        *,
        stage: int = -1,
        img_size: int | Sequence[int] | None = None,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        precision: NetworkPrecision = 'amp',
        model_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_precision(precision)
        self.precision = precision
        settings = {'img_size': img_size, **(model_kwargs or {})}
        network: Any = create_timm_network(model_name, weights, 'model.backbone.weights', **settings)
        number, chosen = _stage_of(network, model_name, stage)
        self.embed_dims, self.stride = chosen['num_chs'], chosen['reduction']
        # the last stage of each resolution, of those up to the chosen one
        earlier = [one for one in network.feature_info[:number] if one['reduction'] < self.stride]
        self.finer_dims = {one['reduction']: one['num_chs'] for one in earlier}
        self._finer_stages = {one['reduction']: index for index, one in enumerate(earlier)}
        self._set_normalisation(network.pretrained_cfg, mean, std)
        self.shield = _Shield(network, number)

    def _set_normalisation(self, own: dict[str, Any], mean: Sequence[float], std: Sequence[float]) -> None:
        own_mean, own_std = (255 * np.array(own[key]) for key in ('mean', 'std'))
        scale, offset = np.array(std) / own_std, (np.array(mean) - own_mean) / own_std
        self.converts = not (np.allclose(scale, 1, atol=1e-4) and np.allclose(offset, 0, atol=1e-4))
        for name, value in (('scale', scale), ('offset', offset)):
            self.register_buffer(name, torch.tensor(value.tolist()).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Encode normalised images ``(B, 3, H, W)`` as maps ``(B, embed_dims, H / stride, W / stride)``."""
        images = self._converted(images)
        with network_precision(self.precision, images.device.type):
            return self._patch_tokens(images) if self.shield.is_transformer else self.shield(images)[-1]

    def pyramid(self, images: Tensor, strides: Sequence[int]) -> list[Tensor]:
        """Encode normalised images ``(B, 3, H, W)`` as maps of several resolutions, in one pass.

        Args:
            images: Normalised images, whose sides are multiples of ``stride``.
            strides: Strides of finer maps, keys of ``finer_dims``, in descending resolution.

        Returns:
            Maps ``(B, finer_dims[s], H / s, W / s)`` for each stride s, and those of ``forward``.
        """
        images = self._converted(images)
        with network_precision(self.precision, images.device.type):
            maps: list[Tensor] = self.shield(images, [self._finer_stages[stride] for stride in strides])
        return maps

    def _converted(self, images: Tensor) -> Tensor:
        return images * self.scale + self.offset if self.converts else images

    def _patch_tokens(self, images: Tensor) -> Tensor:
        encoder: Any = self.shield.encoder  # timm's models have attributes of their own
        grid: Any = tuple(side // self.stride for side in images.shape[-2:])  # (rows, columns)
        prefix = 0 if encoder.no_embed_class else encoder.num_prefix_tokens
        # passed per call: the module keeps those of its own size, which checkpoints contain and training changes
        positions = resize_dino_positions(encoder.pos_embed, prefix, grid)
        (tokens,) = functional_call(self.shield, {'encoder.pos_embed': positions}, images)
        maps: Tensor = tokens[:, encoder.num_prefix_tokens :].transpose(1, 2).unflatten(-1, grid)
        return maps


class _Shield(nn.Module):
    """Wrapper that hides ``init_weights`` of timm's models from MMEngine, which would overwrite the loaded weights.

    What comes after a stage is removed from the network.
    """

    def __init__(self, encoder: Any, stage: int) -> None:
        super().__init__()
        self.encoder, self.stage = encoder, stage
        self.is_transformer = isinstance(encoder, VisionTransformer)
        if self.is_transformer:  # with its final norm
            encoder.patch_embed.strict_img_size = False
            encoder.blocks = encoder.blocks[: stage + 1]
        elif hasattr(encoder, 'prune_intermediate_layers'):
            (self.stage,) = encoder.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)

    def forward(self, images: Tensor, stages: Sequence[int] = ()) -> list[Tensor]:
        """Compute tokens ``(B, N, D)`` of a vision transformer, or maps ``(B, D, h, w)`` of stages and of the last."""
        if self.is_transformer:
            return [self.encoder.forward_features(images)]
        maps: list[Tensor] = self.encoder.forward_intermediates(
            images, indices=[*stages, self.stage], stop_early=True, output_fmt='NCHW', intermediates_only=True
        )
        return maps


def _stage_of(network: Any, model_name: str, stage: int) -> tuple[int, dict[str, Any]]:
    """Return number and description of a stage.

    Raises:
        ValueError: If there is none.
    """
    stages: list[dict[str, Any]] = list(getattr(network, 'feature_info', ()))
    if not stages or not hasattr(network, 'forward_intermediates'):
        raise ValueError(f'{model_name} has no feature maps: timm has no forward_intermediates for it')
    if not -len(stages) <= stage < len(stages):
        known = ', '.join(f'{i}: {one["num_chs"]} x 1/{one["reduction"]}' for i, one in enumerate(stages))
        raise ValueError(f'stage {stage} of {model_name}: its stages (channels x resolution) are {known}')
    number = stage % len(stages)
    return number, stages[number]
