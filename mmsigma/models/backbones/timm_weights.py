"""Construction of networks of timm, with weights from its hub or from files, those of the DINO releases included."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.hub import quiet_hub
from mmsigma.checkpoints.io import check_values, load_weights

_PREFIX = re.compile(r'^(?:module\.)?(?:backbone\.)?(?:shield\.encoder\.)?')  # of DINO, and of our own TimmEncoder
# file names of the official DINO releases, which errors name
_RELEASED_FILES = {
    'vit_small_patch16_224.dino': 'dino_deitsmall16_pretrain.pth',
    'vit_small_patch8_224.dino': 'dino_deitsmall8_pretrain.pth',
    'vit_base_patch16_224.dino': 'dino_vitbase16_pretrain.pth',
    'vit_small_patch14_reg4_dinov2.lvd142m': 'dinov2_vits14_reg4_pretrain.pth',
    'vit_base_patch14_reg4_dinov2.lvd142m': 'dinov2_vitb14_reg4_pretrain.pth',
}


def create_timm_network(
    model_name: str,
    weights: str,
    key: str,
    *,
    img_size: int | Sequence[int] | None = None,
    **model_kwargs: Any,
) -> nn.Module:
    """Build a network without classifier and load its weights.

    Args:
        model_name: Name of the network in timm.
        weights: Path of a checkpoint with the parameter names of timm, or of DINO for vision transformers; ``'hub'`` to
            fetch the weights of timm, or ``'random'``.
        key: Key of ``weights`` in the config, which errors name.
        img_size: Side of images, or (height, width), for which the positions of a vision transformer are resized; None
            for its own size. Other networks take any size.
        **model_kwargs: Further arguments of ``timm.create_model``.

    Raises:
        CheckpointError: If the weights cannot be fetched or do not fit.
        ValueError: If timm has no network of this name.
    """
    _check_name(model_name)
    network: Any = timm.create_model(model_name, num_classes=0, **model_kwargs)
    size = (img_size, img_size) if isinstance(img_size, int) else img_size and tuple(img_size)
    if size and isinstance(network, VisionTransformer) and network.patch_embed.img_size != size:
        network = timm.create_model(model_name, num_classes=0, img_size=size, **model_kwargs)
    if weights != 'random':
        state = _weights_of(model_name, weights, key, model_kwargs)
        _load(network, state, model_name, 'the hub' if weights == 'hub' else weights)
    created: nn.Module = network
    return created


def _check_name(model_name: str) -> None:
    architecture = model_name.partition('.')[0]
    if '/' in model_name or timm.is_model(architecture):  # hf-hub:owner/name and local-dir:/path are looked up by timm
        return
    near = get_close_matches(architecture, timm.list_models(), n=3)
    hint = f': did you mean {" or ".join(near)}?' if near else ', see timm.list_models()'
    raise ValueError(f'timm {timm.__version__} has no network {model_name!r}{hint}')


def _weights_of(model_name: str, weights: str, key: str, model_kwargs: dict[str, Any]) -> dict[str, Tensor]:
    if weights == 'hub':
        MMLogger.get_current_instance().info(f'asking the hub for the weights of {model_name}')
        try:
            with quiet_hub():
                return timm.create_model(model_name, pretrained=True, num_classes=0, **model_kwargs).state_dict()
        except Exception as error:  # the hub client raises errors of many types, and all mean that there are no weights
            file = _RELEASED_FILES.get(model_name, f'the weights of {model_name}')
            raise CheckpointError(
                f'the weights of the frozen encoder {model_name} could not be fetched from the hub ({error}). '
                f'Without network, put {file} anywhere on this machine and name it: '
                f'--cfg-options {key}=/path/to/{Path(file).name if "." in file else "file.pth"}'
            ) from error
    return load_weights(weights, keys=('state_dict', 'model', 'teacher'))


def _load(network: Any, state: dict[str, Tensor], model_name: str, origin: str) -> None:
    state = {_PREFIX.sub('', name): value for name, value in state.items()}
    if isinstance(network, VisionTransformer):
        state = _fit_positions(network, state)
    own = network.state_dict()
    check_values(state, own, origin)
    # the classifier, and what only training of DINO and DINOv2 needs
    surplus = ('head.', 'mask_token', *(f'{name}.' for name in _classifiers(network)))
    # counts of batches, which only training with a cumulative mean needs, are missing in old files
    missing = [name for name in own if name not in state and not name.endswith('num_batches_tracked')]
    unexpected = [name for name in state if name not in own and not name.startswith(surplus)]
    wrong = [
        f'{name}: {tuple(state[name].shape)} instead of {tuple(value.shape)}'
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    if missing or unexpected or wrong:
        sizes = f', other sizes {wrong[:5]}' if wrong else ''
        raise CheckpointError(
            f'{origin} does not fit the network {model_name}: missing {missing[:5]}, unexpected {unexpected[:5]}{sizes}'
        )
    network.load_state_dict(state, strict=False)


def _classifiers(network: Any) -> tuple[str, ...]:
    names: str | Sequence[str] | None = network.pretrained_cfg.get('classifier')
    return (names,) if isinstance(names, str) else tuple(names or ())


def _fit_positions(network: Any, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state with timm's names, and positions resized to the grid of a vision transformer."""
    state = dict(state)
    if 'register_tokens' in state:  # names of DINOv2, whose class token has a position; in timm it is added already
        state['reg_token'] = state.pop('register_tokens')
        state['cls_token'] = state['cls_token'] + state['pos_embed'][:, :1]
        state['pos_embed'] = state['pos_embed'][:, 1:]
    if 'pos_embed' in state and network.pos_embed is not None:
        prefix = 0 if network.no_embed_class else network.num_prefix_tokens
        state['pos_embed'] = resize_dino_positions(state['pos_embed'], prefix, network.patch_embed.grid_size)
    return state


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
