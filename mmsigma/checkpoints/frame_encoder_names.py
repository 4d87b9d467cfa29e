"""Conversion of parameter names of published frame encoders: torchvision's ResNets, MoCo, DINO, CRW and MAST."""

import re

from torch import Tensor

_WRAPPED = 'module.'  # added by DataParallel
_CRW, _MOCO = 'encoder.model.', 'encoder_q.'
_MAST = ('feature_extraction.', 'post_convolution.')
_TEACHER = 'teacher.'
INNER = 'backbone.backbone.'
"""Prefix of the ResNet inside key encoders (Mask-VOS, DUL)."""
_RESNET = re.compile(r'(conv1|bn1|layer\d)\.')


def is_frame_encoder(state: dict[str, Tensor]) -> bool:
    """Return whether these are the parameter names of a published frame encoder."""
    names = {name.removeprefix(_WRAPPED) for name in state}
    return any(name.startswith((_CRW, _MOCO, *_MAST)) for name in names) or 'layer1.0.conv1.weight' in names


def from_frame_encoder(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Extract the encoder of a checkpoint under our names, without heads, queues and momentum copies.

    In some parameter names of CRW's published file, reflection padding is a module of its own before the convolution.
    """
    renamed = {}
    for name, value in state.items():
        name = name.removeprefix(_WRAPPED)
        if name.startswith(_CRW):
            name = re.sub(r'\b(conv[12])\.1\.', r'\1.', name.removeprefix(_CRW))
        name = name.removeprefix(_MOCO)
        if name.startswith(_MAST) or _RESNET.match(name):
            renamed[f'backbone.{name}'] = value
    return renamed


def take_teacher(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Extract the teacher, the better network, from one of our DINO checkpoints if the model has no teacher.

    Args:
        state: Parameters of the checkpoint.
        own: Parameters of the model to load into.

    Returns:
        The teacher's parameters without their prefix, or ``state`` as it is.
    """
    root = f'{_TEACHER}backbone.'
    if any(name.startswith(root) for name in own) or not any(name.startswith(root) for name in state):
        return state
    return {name.removeprefix(_TEACHER): value for name, value in state.items() if name.startswith(root)}


def fit_key_encoder(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert between a key encoder and its bare network, whichever the model is.

    Args:
        state: Parameters of the checkpoint.
        own: Parameters of the model to load into.

    Returns:
        ``state`` with the prefix ``INNER`` removed or added where the model requires it. Other parameters of a key
        encoder are dropped if the model is a bare network.
    """
    inside, given = (any(name.startswith(INNER) for name in names) for names in (own, state))
    if inside == given:
        return state
    if given:
        return {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith(INNER)}
    return {re.sub(r'^backbone\.', INNER, name): value for name, value in state.items()}


def is_network_alone(state: dict[str, Tensor], own: dict[str, Tensor]) -> bool:
    """Return whether ``state`` has only the network inside a key encoder and ``own`` is a whole key encoder."""
    names = [name for name in state if name.startswith('backbone.')]
    return any(name.startswith(INNER) for name in own) and all(name.startswith(INNER) for name in names)
