"""Conversion between our parameter names and those of the released Mask-VOS and DUL models."""

import torch
from torch import Tensor

from mmsigma.checkpoints.renaming import rename, reverse

_WRAPPED = 'module.'  # added by DataParallel
_UNUSED = 'fast_net.emb_v.'  # a head whose output is not used
# (their prefix, our prefix); the first match wins
_RULES = (
    ('fast_net.backbone.down_dim4.block.', 'backbone.reduce.'),
    ('fast_net.backbone.', 'backbone.backbone.'),
    ('fast_net.down_dim3.block.', 'backbone.skip8.'),
    ('fast_net.down_dim2.block.', 'backbone.skip4.'),
    ('fast_net.emb_q.conv1.', 'backbone.key.0.'),
    ('fast_net.emb_q.bn1.', 'backbone.key.1.'),
    ('fast_net.emb_q.conv2.', 'backbone.key.3.'),
    ('mask_encoder.backbone.down_dim.', 'reader.mask_encoder.reduce.'),
    ('mask_encoder.backbone.', 'reader.mask_encoder.backbone.'),
    ('mask_encoder.fuser.attention.ChannelGate.mlp.1.', 'reader.mask_encoder.attention.mlp.0.'),
    ('mask_encoder.fuser.attention.ChannelGate.mlp.3.', 'reader.mask_encoder.attention.mlp.2.'),
    ('mask_encoder.fuser.attention.SpatialGate.spatial.conv.', 'reader.mask_encoder.attention.spatial.'),
    ('mask_encoder.fuser.', 'reader.mask_encoder.'),
    ('decoder.compress.', 'reader.decoder.compress.'),
    ('decoder.up_16_8.skip_conv.', 'reader.decoder.skip8.'),
    ('decoder.up_16_8.out_conv.', 'reader.decoder.block8.'),
    ('decoder.up_8_4.skip_conv.', 'reader.decoder.skip4.'),
    ('decoder.up_8_4.out_conv.', 'reader.decoder.block4.'),
    ('decoder.pred.', 'reader.decoder.pred.'),
)


def is_mask_vos(state: dict[str, Tensor]) -> bool:
    """Return whether these are the parameter names of Mask-VOS or of DUL, which it is derived from."""
    return any(name.removeprefix(_WRAPPED).startswith('fast_net.') for name in state)


def from_mask_vos(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename the parameters of a released model to our names.

    Raises:
        KeyError: If a name does not belong to any known part.
    """
    named = {name.removeprefix(_WRAPPED): value for name, value in state.items()}
    return rename({name: value for name, value in named.items() if not name.startswith(_UNUSED)}, _RULES)


def official_name(name: str) -> str:
    """Return the released name of a parameter of our model.

    Raises:
        KeyError: If there is none.
    """
    (found,) = rename({name: torch.empty(0)}, reverse(_RULES))
    return found
