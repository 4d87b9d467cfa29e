"""Construction of vision transformers of timm, with weights from its hub or from files of the DINO releases."""

from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.checkpoints.io import CheckpointError, load_weights

# file names of the official DINO releases, which errors name
_RELEASED_FILES = {
    'vit_small_patch16_224.dino': 'dino_deitsmall16_pretrain.pth',
    'vit_small_patch8_224.dino': 'dino_deitsmall8_pretrain.pth',
    'vit_base_patch16_224.dino': 'dino_vitbase16_pretrain.pth',
    'vit_small_patch14_reg4_dinov2.lvd142m': 'dinov2_vits14_reg4_pretrain.pth',
    'vit_base_patch14_reg4_dinov2.lvd142m': 'dinov2_vitb14_reg4_pretrain.pth',
}


def create_timm_vit(model_name: str, weights: str, key: str, **model_kwargs: Any) -> nn.Module:
    """Build a vision transformer without classifier and load its weights.

    Args:
        model_name: Name of the model in timm.
        weights: Path of a checkpoint with the parameter names of timm or DINO, ``'hub'`` to fetch the weights of
            timm, or ``'random'``.
        key: Key of ``weights`` in the config, which errors name.
        **model_kwargs: Further arguments of ``timm.create_model``.

    Raises:
        CheckpointError: If the weights cannot be fetched or do not fit.
    """
    encoder = timm.create_model(model_name, num_classes=0, **model_kwargs)
    if weights != 'random':
        model_kwargs.pop('img_size', None)
        _load_encoder(encoder, _encoder_weights(model_name, weights, key, model_kwargs))
    return encoder


def _encoder_weights(model_name: str, weights: str, key: str, model_kwargs: dict[str, Any]) -> dict[str, Tensor]:
    if weights == 'hub':
        try:
            return timm.create_model(model_name, pretrained=True, num_classes=0, **model_kwargs).state_dict()
        except Exception as error:  # the hub client raises errors of many types, and all mean that there are no weights
            file = _RELEASED_FILES.get(model_name, f'the weights of {model_name}')
            raise CheckpointError(
                f'the weights of the frozen encoder {model_name} could not be fetched from the hub ({error}). '
                f'Without network, put {file} anywhere on this machine and name it: '
                f'--cfg-options {key}=/path/to/{Path(file).name if "." in file else "file.pth"}'
            ) from error
    return load_weights(weights, keys=('state_dict', 'model', 'teacher'))


def _load_encoder(encoder: Any, state: dict[str, Tensor]) -> None:
    state = {name.removeprefix('module.').removeprefix('backbone.'): value for name, value in state.items()}
    if 'register_tokens' in state:  # names of DINOv2, whose class token has a position; in timm it is added already
        state['reg_token'] = state.pop('register_tokens')
        state['cls_token'] = state['cls_token'] + state['pos_embed'][:, :1]
        state['pos_embed'] = state['pos_embed'][:, 1:]
    prefix = 0 if encoder.no_embed_class else encoder.num_prefix_tokens
    state['pos_embed'] = resize_dino_positions(state['pos_embed'], prefix, encoder.patch_embed.grid_size)
    missing, unexpected = encoder.load_state_dict(state, strict=False)
    unexpected = [name for name in unexpected if not name.startswith(('head.', 'mask_token'))]
    if missing or unexpected:
        raise CheckpointError(
            f'the file does not fit the frozen encoder: missing {missing[:5]}, unexpected {unexpected[:5]}'
        )


def resize_dino_positions(table: Tensor, prefix: int, grid: tuple[int, int]) -> Tensor:
    """Resize a table of positions bicubically to another grid, as the DINO releases do.

    DINO computes the scale from a grid that is larger by 0.1; DINOv2 with registers, whose tables have no prefix,
    filters against aliasing instead.

    Args:
        table: Positions of the prefix tokens and of a square grid of patches, ``(1, prefix + side ** 2, D)``.
        prefix: Number of prefix tokens with a position.
        grid: Rows and columns of the new grid.

    Returns:
        Positions ``(1, prefix + rows * columns, D)``.
    """
    patches = table[:, prefix:]
    side = round(patches.shape[1] ** 0.5)
    if (side, side) == tuple(grid):
        return table
    maps = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)  # (1, D, side, side)
    if prefix:
        rule: dict[str, Any] = dict(scale_factor=((grid[0] + 0.1) / side, (grid[1] + 0.1) / side))
    else:
        rule = dict(size=tuple(grid), antialias=True)
    maps = F.interpolate(maps, mode='bicubic', align_corners=False, **rule)
    return torch.cat([table[:, :prefix], maps.flatten(2).transpose(1, 2)], dim=1)
