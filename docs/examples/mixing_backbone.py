"""A backbone of one's own: visible tubes exchange information through their mean instead of attention."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones.video_vit import TubeletEmbed
from mmsigma.ops import TokenSplit, gather_tokens, sincos_position_table, split_tokens
from mmsigma.registry import MODELS


class MixingBlock(nn.Module):
    """Residual MLP on every token (B, M, D) together with the mean of all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(2 * width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.norm(tokens)
        mean = normed.mean(dim=1, keepdim=True).expand_as(normed)
        return tokens + self.mlp(torch.cat([normed, mean], dim=-1))


@MODELS.register_module()
class MixingBackbone(BaseModule):
    """What a backbone has to offer: ``embed_dims``, ``grid``, both tube sizes, and ``forward`` with a mask.

    Args:
        embed_dims: Width of the tokens.
        depth: Number of blocks.
        img_size: Side of the frames in pixels.
        num_frames: Frames per clip.
        patch_size: Side of a tube in pixels.
        tubelet_size: Frames per tube.
    """

    def __init__(
        self, embed_dims: int, depth: int, img_size: int, num_frames: int, patch_size: int, tubelet_size: int = 2
    ) -> None:
        super().__init__()
        self.embed_dims, self.patch_size, self.tubelet_size = embed_dims, patch_size, tubelet_size
        self.grid = (num_frames // tubelet_size, img_size // patch_size, img_size // patch_size)
        self.patch_embed = TubeletEmbed(3, embed_dims, tubelet_size, patch_size)
        self.blocks = nn.Sequential(*(MixingBlock(embed_dims) for _ in range(depth)))
        num_tokens = self.grid[0] * self.grid[1] * self.grid[2]
        self.register_buffer('pos_embed', sincos_position_table(num_tokens, embed_dims)[None], persistent=False)

    def forward(self, inputs: Tensor, mask: Tensor | TokenSplit | None = None) -> Tensor:
        """Encode the visible tubes of a video (B, C, T, H, W), or all; returns (B, N_visible, D)."""
        if isinstance(mask, Tensor):
            mask = split_tokens(mask)
        visible = None if mask is None else mask.visible
        positions = self.pos_embed if visible is None else gather_tokens(self.pos_embed, visible)
        return self.blocks(self.patch_embed(inputs, visible) + positions)
