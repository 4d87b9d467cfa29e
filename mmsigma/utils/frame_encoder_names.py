"""Parameter names of released encoders of frames: CRW's and MAST's."""

import re

from torch import Tensor

_WRAPPED = 'module.'  # by DataParallel
_CRW = 'encoder.model.'
_MAST = ('feature_extraction.', 'post_convolution.')


def is_frame_encoder(state: dict[str, Tensor]) -> bool:
    """Whether these are the names of CRW or of MAST."""
    return any(name.removeprefix(_WRAPPED).startswith((_CRW, *_MAST)) for name in state)


def from_frame_encoder(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of a checkpoint of CRW (a ResNet and a head) or of MAST.

    CRW's published file has its reflected padding as a module of its own, before the convolution, in some names.
    """
    renamed = {}
    for name, value in state.items():
        name = name.removeprefix(_WRAPPED)
        if name.startswith(_CRW):
            name = re.sub(r'\b(conv[12])\.1\.', r'\1.', name.removeprefix(_CRW))
            renamed[f'backbone.{name}'] = value
        elif name.startswith(_MAST):
            renamed[f'backbone.{name}'] = value
        else:
            renamed[name] = value
    return renamed
