"""Attentive probe, which classifies clips through one learned query (V-JEPA, V-JEPA 2)."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsigma.models.classification.classification_head import ViewClassifier
from mmsigma.ops import Linear
from mmsigma.registry import MODELS


class _Attention(nn.Module):
    """Self-attention of tokens, with biases of queries, keys and values."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.proj = Linear(dims, 3 * dims), Linear(dims, dims)

    def forward(self, tokens: Tensor) -> Tensor:
        projected: Tensor = self.proj(_attend(*self.qkv(tokens).chunk(3, dim=-1), self.num_heads))  # type: ignore[call-arg]  # three chunks
        return projected


class _QueryAttention(nn.Module):
    """Attention of queries to tokens, without an output projection."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q, self.kv = Linear(dims, dims), Linear(dims, 2 * dims)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        return _attend(self.q(queries), *self.kv(tokens).chunk(2, dim=-1), self.num_heads)  # type: ignore[call-arg]  # two chunks


def _attend(query: Tensor, key: Tensor, value: Tensor, num_heads: int) -> Tensor:
    # (B, N, D) -> (B, heads, N, D / heads)
    query, key, value = (x.unflatten(-1, (num_heads, -1)).transpose(1, 2) for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _mlp(dims: int) -> nn.Sequential:
    mlp = nn.Sequential()
    mlp.add_module('fc1', Linear(dims, 4 * dims))
    mlp.add_module('act', nn.GELU())
    mlp.add_module('fc2', Linear(4 * dims, dims))
    return mlp


class _Block(nn.Module):
    """Pre-norm transformer block of self-attention and an MLP."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.attn, self.mlp = _Attention(dims, num_heads), _mlp(dims)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        transformed: Tensor = tokens + self.mlp(self.norm2(tokens))
        return transformed


class _QueryBlock(nn.Module):
    """Block of cross-attention from queries, which are not normalised, to normalised tokens, and an MLP."""

    mlp: Any  # Sequential with named layers

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dims), nn.LayerNorm(dims)
        self.xattn, self.mlp = _QueryAttention(dims, num_heads), _mlp(dims)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        queries = queries + self.xattn(queries, self.norm1(tokens))
        transformed: Tensor = queries + self.mlp(self.norm2(queries))
        return transformed


class AttentivePooler(nn.Module):
    """Pooling of tokens by blocks of self-attention and one learned query that attends to their result.

    Args:
        dims: Number of channels of the tokens.
        num_heads: Number of attention heads.
        depth: Number of blocks, including that of the query.
    """

    blocks: Any  # ModuleList of _Block

    def __init__(self, dims: int, num_heads: int, depth: int) -> None:
        super().__init__()
        self.query_tokens = nn.Parameter(torch.empty(1, 1, dims))
        self.blocks = nn.ModuleList(_Block(dims, num_heads) for _ in range(depth - 1))
        self.cross_attention_block = _QueryBlock(dims, num_heads)

    def forward(self, tokens: Tensor) -> Tensor:
        """Pool tokens ``(B, N, D)`` to features ``(B, D)``."""
        for block in self.blocks:
            tokens = block(tokens)
        queries = self.query_tokens.expand(len(tokens), -1, -1)
        pooled: Tensor = self.cross_attention_block(queries, tokens)[:, 0]
        return pooled


@MODELS.register_module()
class AttentiveHead(ViewClassifier):
    """Attentive probe of V-JEPA (``depth=1``) and V-JEPA 2 (``depth=4``), for the tokens of a frozen backbone.

    Weights are initialised from a normal distribution with a standard deviation of 0.02; those of the output layers of
    residual branches are then divided by sqrt(2 * layer), except for the attention of the query.

    Args:
        in_channels: Number D of channels of the tokens.
        num_classes: Number C of classes.
        num_heads: Number of attention heads.
        depth: Number of attention blocks, including that of the query.
        label_smoothing: Share of the target that is spread over all classes.
        multi_label: Whether a video may have several classes; see :class:`ViewClassifier`.

    Raises:
        ValueError: If ``in_channels`` is not divisible by ``num_heads``.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        num_heads: int = 16,
        depth: int = 4,
        label_smoothing: float = 0.0,
        multi_label: bool = False,
    ) -> None:
        super().__init__(num_classes, label_smoothing, multi_label)
        if in_channels % num_heads:
            raise ValueError(f'in_channels {in_channels} is not divisible by num_heads {num_heads}')
        self.pooler = AttentivePooler(in_channels, num_heads, depth)
        self.linear = nn.Linear(in_channels, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.pooler.query_tokens, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            for layer, block in enumerate(self.pooler.blocks, 1):
                block.attn.proj.weight.div_(math.sqrt(2 * layer))
                block.mlp.fc2.weight.div_(math.sqrt(2 * layer))
            last = len(self.pooler.blocks) + 1
            self.pooler.cross_attention_block.mlp.fc2.weight.div_(math.sqrt(2 * last))

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute logits ``(B, C)`` of tokens ``(B, N, D)``."""
        logits: Tensor = self.linear(self.pooler(tokens))
        return logits
