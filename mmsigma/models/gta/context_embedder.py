"""From maps of a frame and those before it to an embedding of the moment (GTA, CVPR 2021)."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.registry import MODELS

POOLS = ('max', 'mean', 'flatten')
_STD_OF_CUT_NORMAL = 0.87962566103423978  # of the standard normal distribution between -2 and 2


def stack_context(maps: Tensor, num_context: int) -> Tensor:
    """Put the maps of the frames of each step together.

    Args:
        maps: Of all frames (N * num_context, C, h, w); those of a step are neighbours, the oldest first.
        num_context: Frames per step.

    Returns:
        (N, C, num_context, h, w).

    Raises:
        ValueError: If the number of maps is no multiple.
    """
    if len(maps) % num_context:
        raise ValueError(f'{len(maps)} frames are no multiple of the {num_context} of a step')
    return maps.unflatten(0, (-1, num_context)).transpose(1, 2)


@torch.no_grad()
def he_normal_(weight: Tensor) -> None:
    """Initialise a weight (out, in, ...) in place as Keras' he_normal does.

    The distribution is normal, cut off at two of its standard deviations, and has a variance of 2 / fan_in after that.
    """
    # by the inverse of the distribution function: nn.init.trunc_normal_, which draws anew, takes seven times as long
    scale = math.sqrt(2 / weight[0].numel()) / _STD_OF_CUT_NORMAL
    weight.uniform_(-1, 1).mul_(math.erf(math.sqrt(2))).erfinv_().mul_(math.sqrt(2) * scale)


class Embedded(NamedTuple):
    """Result of :meth:`ContextEmbedder.embed`.

    Attributes:
        embeddings: (N, out_channels).
        maps: After the last convolution, of which class activation maps are made (N, C, num_context, h, w). Slot -1 is
            the step's own frame; GTA's script shows slot 0, the oldest.
    """

    embeddings: Tensor
    maps: Tensor


@MODELS.register_module()
class ContextEmbedder(BaseModule):
    """3-D convolutions, pooling over time and space, and fully connected layers; embeddings have unit length.

    Works on maps (N, C, h, w) of any frame encoder, of any size unless they are flattened.

    Args:
        in_channels: Width of the maps C.
        num_context: Frames of a step, oldest first.
        conv_channels: Widths of the 3x3x3 convolutions.
        fc_channels: Widths of the hidden layers.
        out_channels: Width of the embeddings.
        pool: Over time and space, ``'max'`` (release) or ``'mean'``, neither of which knows where something was, or
            ``'flatten'``, not at all.
        map_size: (h, w) of the maps, for ``'flatten'``.
        dropout: Before the hidden layers.
        conv_dropout: Of the maps, before the convolutions.
        normalize: Whether embeddings have unit length; TCC trains without.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If the pooling is unknown, or flattens maps of unknown size.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        num_context: int = 2,
        *,
        conv_channels: tuple[int, ...] = (512, 512),
        fc_channels: tuple[int, ...] = (512, 512),
        out_channels: int = 128,
        pool: str = 'max',
        map_size: tuple[int, int] | None = None,
        dropout: float = 0.1,
        conv_dropout: float = 0.0,
        normalize: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if pool not in POOLS:
            raise ValueError(f'pool must be one of {POOLS}, got {pool!r}')
        if pool == 'flatten' and map_size is None:
            raise ValueError("pool='flatten' needs map_size, the (h, w) of the frame encoder's maps")
        self.num_context, self.out_channels, self.pool, self.normalize = num_context, out_channels, pool, normalize
        self.dropout, self.conv_dropout = nn.Dropout(dropout), nn.Dropout(conv_dropout)
        widths = (in_channels, *conv_channels)
        self.convs = nn.ModuleList(nn.Conv3d(*pair, 3, padding=1) for pair in zip(widths, widths[1:], strict=False))
        self.norms = nn.ModuleList(nn.BatchNorm3d(width, eps=1e-3, momentum=0.01) for width in conv_channels)
        cells = num_context * map_size[0] * map_size[1] if pool == 'flatten' and map_size else 1
        self.map_size = tuple(map_size) if map_size else None
        widths = (cells * widths[-1], *fc_channels)
        self.fcs = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, widths[1:], strict=False))
        self.out = nn.Linear(widths[-1], out_channels)
        for conv in self.convs:
            he_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
        for layer in (*self.fcs, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Embeddings (N, out_channels), float32, of maps (N * num_context, C, h, w), see :func:`stack_context`."""
        return self.embed(maps).embeddings

    def embed(self, maps: Tensor) -> Embedded:
        """Embeddings, and the maps they are pooled from."""
        x = self.conv_dropout(stack_context(maps, self.num_context))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.relu(norm(conv(x)))
        pooled = self._pooled(x)
        for layer in self.fcs:
            pooled = F.relu(layer(self.dropout(pooled)))
        embeddings = self.out(pooled)
        if embeddings.dtype != torch.float64:
            embeddings = embeddings.float()
        return Embedded(F.normalize(embeddings, dim=1) if self.normalize else embeddings, x)

    def _pooled(self, x: Tensor) -> Tensor:
        """(N, C, T, h, w) without time and space; flattened, channels come last, as in the release."""
        if self.pool == 'max':
            return x.amax(dim=(2, 3, 4))
        if self.pool == 'mean':
            return x.mean(dim=(2, 3, 4))
        if tuple(x.shape[-2:]) != self.map_size:
            raise ValueError(f'maps are {tuple(x.shape[-2:])}, map_size says {self.map_size}: videos of another size?')
        return x.movedim(1, -1).flatten(1)

    def weight_penalty(self, weight: float = 1e-5) -> Tensor:
        """Weight decay of the release: the *mean* over its weights and biases of ``weight`` times their sum of squares.

        Norms are left out, as is the frame encoder.
        """
        squares = [p.square().sum() for layer in (*self.convs, *self.fcs, self.out) for p in (layer.weight, layer.bias)]
        return weight * torch.stack(squares).mean()
