"""Parameter names of published encoders of frames: ResNets as torchvision names them, MoCo, DINO, CRW, MAST."""

import re

from torch import Tensor

_WRAPPED = 'module.'  # by DataParallel
_CRW, _MOCO = 'encoder.model.', 'encoder_q.'
_MAST = ('feature_extraction.', 'post_convolution.')
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


def keys_to_resnet(state: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a ResNet with a head for keys (Mask-VOS, DUL) the ResNet alone, for models that are no more than that."""
    inner = 'backbone.backbone.'
    if any(name.startswith(inner) for name in own) or not any(name.startswith(inner) for name in state):
        return state
    return {name.removeprefix('backbone.'): value for name, value in state.items() if name.startswith(inner)}
