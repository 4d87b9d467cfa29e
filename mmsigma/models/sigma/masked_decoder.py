"""The light decoder of masked video modelling."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones.layers import build_blocks
from mmsigma.ops import Linear, TokenSplit, gather_tokens, sincos_position_table, split_tokens
from mmsigma.registry import MODELS


@MODELS.register_module()
class MaskedVideoDecoder(BaseModule):
    """Predicts a feature for every masked tube from the encoded visible ones (VideoMAE; SIGMA's Psi).

    The sequence is [visible tokens, mask tokens], each with its position, each group in token order.

    Args:
        in_channels: Width of the encoder.
        out_channels: Width of the prediction, i.e. of the target.
        grid: Token grid (T, H, W) of the encoder.
        embed_dims: Width of the decoder.
        depth: Number of blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the blocks' MLPs relative to ``embed_dims``.
        init_cfg: mmengine's initialisation config.
    """

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
        init_cfg: dict | None = None,
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
            tokens: Encoded visible tokens (B, N_visible, C).
            mask: (B, N) bool, True where masked, or what :func:`mmsigma.ops.split_tokens` made of it.

        Returns:
            Predictions (B, N_masked, out_channels) in token order.
        """
        if isinstance(mask, Tensor):
            mask = split_tokens(mask)
        visible = self.embed(tokens)
        visible = visible + gather_tokens(self.pos_embed, mask.visible)
        masked = self.mask_token + gather_tokens(self.pos_embed, mask.masked)
        sequence = torch.cat([visible, masked.to(visible.dtype)], dim=1)
        *blocks, last = self.blocks
        for block in blocks:
            sequence = block(sequence)
        # of the last block only the mask tokens are read
        return self.head(self.norm(last(sequence, masked.shape[1])))
