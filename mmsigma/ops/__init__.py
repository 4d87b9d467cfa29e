"""Pure-torch building blocks: no registry, no config, no file access."""

from mmsigma.ops.fast_linear import Linear, full_float32, linear
from mmsigma.ops.masking import TokenSplit, gather_tokens, nearest_tubes, patchify, split_tokens
from mmsigma.ops.optimal_transport import sinkhorn, sinkhorn_labels
from mmsigma.ops.position import resize_position_table, sincos_position_table

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
