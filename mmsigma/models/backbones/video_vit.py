"""Video transformer of VideoMAE (NeurIPS 2022) and SIGMA (ECCV 2024), for pre-training and downstream tasks alike."""

from typing import Any, Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmsigma.models.backbones.layers import build_blocks
from mmsigma.ops import (
    TokenSplit,
    gather_tokens,
    linear,
    patchify,
    resize_position_table,
    sincos_position_table,
    split_tokens,
)
from mmsigma.registry import MODELS

Arch = Literal['tiny', 'small', 'base', 'large', 'huge']
ARCHITECTURES: dict[str, dict[str, Any]] = {
    'tiny': dict(embed_dims=192, depth=12, num_heads=3),
    'small': dict(embed_dims=384, depth=12, num_heads=6),
    'base': dict(embed_dims=768, depth=12, num_heads=12),
    'large': dict(embed_dims=1024, depth=24, num_heads=16),
    'huge': dict(embed_dims=1280, depth=32, num_heads=16),
}
ClipSize = int | tuple[int, int]


class TubeletEmbed(nn.Module):
    """Linear embedding of tubes, equal to a 3-D convolution whose kernel size is its stride.

    The weight has the shape of the convolution, as in all published checkpoints, but is applied as a matrix: only to
    the visible tubes if there is a mask, and faster than the convolution in any case.

    Args:
        in_channels: Number of colour channels.
        embed_dims: Number D of channels of the tokens.
        tubelet_size: Number of frames of a tube.
        patch_size: Side of a tube in pixels.
    """

    def __init__(self, in_channels: int, embed_dims: int, tubelet_size: int, patch_size: int) -> None:
        super().__init__()
        self.tubelet_size, self.patch_size = tubelet_size, patch_size
        kernel = (tubelet_size, patch_size, patch_size)
        self.proj = nn.Conv3d(in_channels, embed_dims, kernel_size=kernel, stride=kernel)

    def forward(self, video: Tensor, visible: Tensor | None = None) -> Tensor:
        """Embed tubes of a video ``(B, C, T, H, W)``: those with the indices ``visible``, ``(B, M)``, or all.

        Returns:
            Tokens ``(B, M, D)``.
        """
        tubes = patchify(video, self.tubelet_size, self.patch_size, visible)
        return linear(tubes, self.proj.weight.flatten(1), self.proj.bias)


@MODELS.register_module()
class VideoVisionTransformer(BaseModule):
    """Vision transformer over space-time tubes, without class token (VideoMAE, SIGMA; ECCV 2024, section 3).

    Positions come from a fixed sine-cosine table over the flattened token index, which is neither trained nor stored.
    Masked tubes are neither embedded nor processed.

    Args:
        arch: Name of an architecture, ``'tiny'``, ``'small'``, ``'base'``, ``'large'`` or ``'huge'``, or a dict with
            ``embed_dims``, ``depth`` and ``num_heads``.
        img_size: Side of the frames in pixels, or (height, width).
        num_frames: Number of frames of a clip.
        patch_size: Side of a tube in pixels.
        tubelet_size: Number of frames of a tube.
        in_channels: Number of colour channels.
        mlp_ratio: Number of hidden channels of the MLPs, relative to ``embed_dims``.
        drop_path_rate: Stochastic depth of the last block; that of the blocks before it rises linearly from 0.
        final_norm: Whether a LayerNorm follows the last block. It does in pre-training; fine-tuning normalises after
            pooling instead.
        position_grid: Token grid (T, H, W) of pre-training. If it differs from the grid of this model, the table of
            that grid is resized. None stands for the grid of this model.
        dynamic_size: Whether clips may have any size that is a multiple of the tubes' size. The positions of
            ``img_size`` are then resized in space; shorter or longer clips get fewer or more rows of the table.
        with_cp: Whether to recompute the blocks in the backward pass, which saves memory.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        ValueError: If the architecture is unknown or incomplete, or the clips do not divide into tubes.
    """

    pos_embed: Tensor  # (1, N, D)

    def __init__(
        self,
        arch: Arch | dict[str, Any] = 'base',
        img_size: ClipSize = 224,
        num_frames: int = 16,
        patch_size: int = 16,
        tubelet_size: int = 2,
        *,
        in_channels: int = 3,
        mlp_ratio: float = 4.0,
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        position_grid: tuple[int, int, int] | None = None,
        dynamic_size: bool = False,
        with_cp: bool = False,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if isinstance(arch, str):
            if arch not in ARCHITECTURES:
                raise ValueError(f'unknown arch {arch!r}: choose one of {sorted(ARCHITECTURES)} or give a dict')
            arch = ARCHITECTURES[arch]
        if lacking := [key for key in ('embed_dims', 'depth', 'num_heads') if key not in arch]:
            raise ValueError(f'arch = {dict(arch)} lacks {lacking}: add them, or name one of {sorted(ARCHITECTURES)}')
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        if num_frames % tubelet_size or height % patch_size or width % patch_size:
            raise ValueError(
                f'num_frames {num_frames} and img_size {height} x {width} must be multiples of '
                f'tubelet_size {tubelet_size} and patch_size {patch_size}'
            )
        self.embed_dims: int = arch['embed_dims']
        self.input_shape = (in_channels, num_frames, height, width)
        self.tubelet_size, self.patch_size, self.with_cp = tubelet_size, patch_size, with_cp
        self.stride = patch_size  # the name that frame encoders use
        self.dynamic_size = dynamic_size
        self.grid = (num_frames // tubelet_size, height // patch_size, width // patch_size)

        self.patch_embed = TubeletEmbed(in_channels, self.embed_dims, tubelet_size, patch_size)
        self.blocks = build_blocks(self.embed_dims, arch['depth'], arch['num_heads'], mlp_ratio, drop_path_rate)
        self.norm = nn.LayerNorm(self.embed_dims, eps=1e-6) if final_norm else nn.Identity()
        self.position_base = tuple(position_grid or self.grid)
        self.register_buffer('pos_embed', self._position_table(), persistent=False)
        self._resized: tuple[tuple[int, ...], Tensor] | None = None  # grid and table of the last clip of another size

    def _position_table(self) -> Tensor:
        grid = self.position_base
        table = sincos_position_table(grid[0] * grid[1] * grid[2], self.embed_dims)
        return resize_position_table(table, grid, self.grid)[None]

    def forward(self, inputs: Tensor, mask: Tensor | TokenSplit | None = None) -> Tensor:
        """Encode a clip.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.
            mask: Boolean mask ``(B, N)``, True where a token is masked, or the result of
                :func:`mmsigma.ops.split_tokens` for it; None to encode all N tokens.

        Returns:
            Tokens ``(B, N_visible, D)`` in the order (t, h, w).

        Raises:
            ValueError: If clips or mask do not have the shape that the model was built for.
        """
        positions = self._positions(tuple(inputs.shape[1:]))
        if isinstance(mask, Tensor) and mask.shape[1:] != positions.shape[1:2]:
            raise ValueError(f'the token grid is {self.grid}, but the mask has the shape {tuple(mask.shape)}')
        split: TokenSplit | None = split_tokens(mask) if isinstance(mask, Tensor) else mask
        visible = None if split is None else split.visible
        tokens = self.patch_embed(inputs, visible)
        tokens = tokens + (positions if visible is None else gather_tokens(positions, visible))
        for block in self.blocks:
            tokens = checkpoint(block, tokens, use_reentrant=False) if self._recompute else block(tokens)
        normalised: Tensor = self.norm(tokens)
        return normalised

    def _positions(self, shape: tuple[int, ...]) -> Tensor:
        """Return the positions ``(1, N, D)`` of clips of the shape (C, T, H, W)."""
        if shape == self.input_shape:
            return self.pos_embed
        channels, *size = shape
        tube = (self.tubelet_size, self.patch_size, self.patch_size)
        if (
            not self.dynamic_size
            or channels != self.input_shape[0]
            or any(a % b for a, b in zip(size, tube, strict=True))
        ):
            multiple = f' or multiples of {tube} for (T, H, W)' if self.dynamic_size else ''
            raise ValueError(
                f'the model was built for clips of (C, T, H, W) = {self.input_shape}{multiple}, got {shape}: '
                'set img_size, num_frames and in_channels accordingly'
            )
        grid: Any = tuple(a // b for a, b in zip(size, tube, strict=True))  # (T', h, w)
        if self._resized is None or self._resized[0] != grid:
            base = (grid[0], *self.position_base[1:])
            table = sincos_position_table(base[0] * base[1] * base[2], self.embed_dims)
            self._resized = grid, resize_position_table(table, base, grid)[None].to(self.pos_embed)
        return self._resized[1]

    @property
    def _recompute(self) -> bool:
        return self.with_cp and self.training and torch.is_grad_enabled()
