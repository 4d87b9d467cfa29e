"""Transformer blocks, which encoder and decoder of masked video modelling consist of."""

from functools import partial

import torch
import torch.nn.functional as F
from timm.layers import DropPath  # type: ignore[attr-defined]  # timm exports it without __all__
from torch import Tensor, nn

from mmsigma.ops import Linear, linear


class SelfAttention(nn.Module):
    """Scaled-dot-product self-attention with biases for queries and values; a bias of the keys would have no effect.

    Args:
        dims: Number of channels of the tokens.
        num_heads: Number of attention heads, a divisor of ``dims``.

    Raises:
        ValueError: If ``dims`` is not divisible by ``num_heads``.
    """

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        if dims % num_heads:
            raise ValueError(f'embed_dims {dims} is not divisible by num_heads {num_heads}')
        self.num_heads = num_heads
        self.qkv = Linear(dims, 3 * dims, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dims))
        self.v_bias = nn.Parameter(torch.zeros(dims))
        self.proj = Linear(dims, dims)

    def forward(self, tokens: Tensor, num_last: int | None = None) -> Tensor:
        """Attend to all tokens ``(B, N, C)`` from the last ``num_last`` ones, or from all if it is None.

        Returns:
            Attended tokens, ``(B, num_last, C)`` or ``(B, N, C)``.
        """
        no_bias = torch.zeros_like(self.q_bias)
        if num_last is None:
            bias = torch.cat([self.q_bias, no_bias, self.v_bias])
            query, key, value = linear(tokens, self.qkv.weight, bias).chunk(3, dim=-1)
        else:
            query_weight, memory_weight = self.qkv.weight.tensor_split([tokens.shape[-1]])
            query = linear(tokens[:, -num_last:], query_weight, self.q_bias)
            key, value = linear(tokens, memory_weight, torch.cat([no_bias, self.v_bias])).chunk(2, dim=-1)
        # (B, N, C) -> (B, heads, N, C / heads)
        query, key, value = (x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for x in (query, key, value))
        attended = F.scaled_dot_product_attention(query, key, value)
        projected: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return projected


class TransformerBlock(nn.Module):
    """Pre-norm transformer block with stochastic depth.

    Args:
        dims: Number of channels of the tokens.
        num_heads: Number of attention heads.
        mlp_ratio: Number of hidden channels of the MLP, relative to ``dims``.
        drop_path: Probability with which a sample skips a residual branch in training.
    """

    def __init__(self, dims: int, num_heads: int, mlp_ratio: float = 4.0, drop_path: float = 0.0) -> None:
        super().__init__()
        norm_layer = partial(nn.LayerNorm, eps=1e-6)
        hidden = int(dims * mlp_ratio)
        self.norm1 = norm_layer(dims)
        self.attn = SelfAttention(dims, num_heads)
        self.norm2 = norm_layer(dims)
        self.mlp = nn.Sequential()
        self.mlp.add_module('fc1', Linear(dims, hidden))
        self.mlp.add_module('act', nn.GELU())
        self.mlp.add_module('fc2', Linear(hidden, dims))
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, tokens: Tensor, num_last: int | None = None) -> Tensor:
        """Transform tokens ``(B, N, C)``; if ``num_last`` is given, only the last ``num_last`` ones are computed."""
        skip = tokens if num_last is None else tokens[:, -num_last:]
        skip = skip + self.drop_path(self.attn(self.norm1(tokens), num_last))
        transformed: Tensor = skip + self.drop_path(self.mlp(self.norm2(skip)))
        return transformed


def build_blocks(embed_dims: int, depth: int, num_heads: int, mlp_ratio: float, drop_path_rate: float) -> nn.ModuleList:
    """Build transformer blocks whose stochastic depth rises linearly from 0 to ``drop_path_rate``.

    Linear layers are initialised as Xavier uniform, with biases of 0. The other arguments are those of
    :class:`TransformerBlock`.
    """
    rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
    blocks = nn.ModuleList(TransformerBlock(embed_dims, num_heads, mlp_ratio, rate) for rate in rates)
    for module in blocks.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return blocks
