"""Parameter names of published encoders of frames: ResNets as torchvision names them, MoCo, DINO, CRW, MAST."""

import re

from torch import Tensor

_WRAPPED = 'module.'  # by DataParallel
_CRW, _MOCO = 'encoder.model.', 'encoder_q.'
_MAST = ('feature_extraction.', 'post_convolution.')
_TEACHER = 'teacher.'
INNER = 'backbone.backbone.'
"""Where encoders of keys (Mask-VOS, DUL) have the network that they are made of."""
_RESNET = re.compile(r'(conv1|bn1|layer\d)\.')


def is_frame_encoder(state: dict[str, Tensor]) -> bool:
    """Whether these are the names of one of them."""
    names = {name.removeprefix(_WRAPPED) for name in state}
    return any(name.startswith((_CRW, _MOCO, *_MAST)) for name in names) or 'layer1.0.conv1.weight' in names


def from_frame_encoder(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder in a checkpoint, by our names; heads, queues and momentum copies are left out.

    CRW's published file has its reflected padding as a module of its own, before the convolution, in some names.
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
    """Of our DINO the teacher's network alone, which is the better one, for models that have none."""
    root = f'{_TEACHER}backbone.'
    if any(name.startswith(root) for name in own) or not any(name.startswith(root) for name in state):
        return state
    return {name.removeprefix(_TEACHER): value for name, value in state.items() if name.startswith(root)}


def fit_key_encoder(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of an encoder of keys the network alone, for models that are no more than that, and the reverse."""
    inside, given = (any(name.startswith(INNER) for name in names) for names in (own, state))
    if inside == given:
        return state
    if given:
        return {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith(INNER)}
    return {re.sub(r'^backbone\.', INNER, name): value for name, value in state.items()}


def is_network_alone(state: dict[str, Tensor], own: dict[str, Tensor]) -> bool:
    """Whether parameters have the network inside an encoder of keys, and nothing else of it."""
    names = [name for name in state if name.startswith('backbone.')]
    return any(name.startswith(INNER) for name in own) and all(name.startswith(INNER) for name in names)
