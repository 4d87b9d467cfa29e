"""Light decoder of masked video modelling (VideoMAE, NeurIPS 2022; SIGMA, ECCV 2024)."""

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones.layers import build_blocks
from mmsigma.ops import Linear, TokenSplit, gather_tokens, sincos_position_table, split_tokens
from mmsigma.registry import MODELS


@MODELS.register_module()
class MaskedVideoDecoder(BaseModule):
    """Predicts a feature for every masked tube from the encoded visible tubes (VideoMAE; Psi of SIGMA).

    The sequence consists of the visible tokens, then the mask tokens, both in token order and with their positions.

    Args:
        in_channels: Number C of channels of the encoder's tokens.
        out_channels: Number D of channels of the predictions, which is that of the target.
        grid: Token grid (T, H, W) of the encoder.
        embed_dims: Number of channels of the decoder's tokens.
        depth: Number of blocks.
        num_heads: Number of attention heads.
        mlp_ratio: Number of hidden channels of the MLPs, relative to ``embed_dims``.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    pos_embed: Tensor  # (1, N, embed_dims)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: tuple[int, int, int],
        *,
        embed_dims: int = 384,
        depth: int = 4,
        num_heads: int = 6,
        mlp_ratio: float = 4.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed = Linear(in_channels, embed_dims, bias=False)
        self.mask_token = nn.Parameter(torch.empty(1, 1, embed_dims))
        nn.init.trunc_normal_(self.mask_token, std=0.02, a=-0.02, b=0.02)
        self.blocks = build_blocks(embed_dims, depth, num_heads, mlp_ratio, drop_path_rate=0.0)
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.head = Linear(embed_dims, out_channels)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        positions = sincos_position_table(grid[0] * grid[1] * grid[2], embed_dims)[None]
        self.register_buffer('pos_embed', positions, persistent=False)

    def forward(self, tokens: Tensor, mask: Tensor | TokenSplit) -> Tensor:
        """Predict the masked tokens.

        Args:
            tokens: Encoded visible tokens, ``(B, N_visible, C)``.
            mask: Boolean mask ``(B, N)``, True where a token is masked, or the result of
                :func:`mmsigma.ops.split_tokens` for it.

        Returns:
            Predictions ``(B, N_masked, D)`` in token order.
        """
        split: TokenSplit = split_tokens(mask) if isinstance(mask, Tensor) else mask
        visible = self.embed(tokens)
        visible = visible + gather_tokens(self.pos_embed, split.visible)
        masked = self.mask_token + gather_tokens(self.pos_embed, split.masked)
        sequence = torch.cat([visible, masked.to(visible.dtype)], dim=1)
        *blocks, last = self.blocks
        for block in blocks:
            sequence = block(sequence)
        # only the mask tokens are read, so the last block need not compute the others
        predictions: Tensor = self.head(self.norm(last(sequence, masked.shape[1])))
        return predictions
