"""Building blocks in plain PyTorch, which need no registry, no config and no file access."""

from mmsigma.ops.linear import Linear, full_float32, linear
from mmsigma.ops.masking import TokenSplit, gather_tokens, nearest_tubes, patchify, split_tokens
from mmsigma.ops.position import resize_position_table, sincos_position_table
from mmsigma.ops.sinkhorn import sinkhorn, sinkhorn_labels

__all__ = [
    'Linear',
    'TokenSplit',
    'full_float32',
    'gather_tokens',
    'linear',
    'nearest_tubes',
    'patchify',
    'resize_position_table',
    'sincos_position_table',
    'sinkhorn',
    'sinkhorn_labels',
    'split_tokens',
]
