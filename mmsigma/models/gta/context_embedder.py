"""Embedder of GTA (CVPR 2021), which turns the maps of a frame and of its context into an embedding."""

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.registry import MODELS

Pool = Literal['max', 'mean', 'flatten']
POOLS: tuple[Pool, ...] = ('max', 'mean', 'flatten')
_STD_OF_CUT_NORMAL = 0.87962566103423978  # standard deviation of a standard normal distribution cut at -2 and 2


def stack_context(maps: Tensor, num_context: int) -> Tensor:
    """Stack the maps of the frames of each step along time.

    Args:
        maps: Maps of all frames, ``(N * num_context, C, h, w)``; those of a step are neighbours, the oldest first.
        num_context: Number of frames of a step.

    Returns:
        Maps ``(N, C, num_context, h, w)``.

    Raises:
        ValueError: If the number of maps is not a multiple of ``num_context``.
    """
    if len(maps) % num_context:
        raise ValueError(f'{len(maps)} frames are no multiple of the {num_context} of a step (num_context)')
    stacked: Tensor = maps.unflatten(0, (-1, num_context)).transpose(1, 2)
    return stacked


@torch.no_grad()
def he_normal_(weight: Tensor) -> None:
    """Initialise a weight ``(out, in, ...)`` in place as ``he_normal`` of Keras does.

    The distribution is a normal one, cut off at two standard deviations, with a variance of 2 / fan_in after the cut.
    """
    # by inverting the distribution function: nn.init.trunc_normal_ draws repeatedly and takes seven times as long
    scale = math.sqrt(2 / weight[0].numel()) / _STD_OF_CUT_NORMAL
    weight.uniform_(-1, 1).mul_(math.erf(math.sqrt(2))).erfinv_().mul_(math.sqrt(2) * scale)


class Embedded(NamedTuple):
    """Result of :meth:`ContextEmbedder.embed`.

    Attributes:
        embeddings: Embeddings ``(N, out_channels)``.
        maps: Maps after the last convolution, ``(N, C, num_context, h, w)``, from which class activation maps are made.
            Index -1 of ``num_context`` is the step's own frame; the script of GTA shows index 0, the oldest frame.
    """

    embeddings: Tensor
    maps: Tensor


@MODELS.register_module()
class ContextEmbedder(BaseModule):
    """Embedder of 3-D convolutions, pooling over time and space, and fully connected layers.

    It accepts the maps of any frame encoder, which may have any size unless they are flattened.

    Args:
        in_channels: Number C of channels of the maps.
        num_context: Number of frames of a step, its own included.
        conv_channels: Numbers of channels of the 3x3x3 convolutions.
        fc_channels: Numbers of channels of the hidden layers.
        out_channels: Number D of channels of the embeddings.
        pool: Pooling over time and space, ``'max'`` (release) or ``'mean'``, both of which discard positions, or
            ``'flatten'``, which keeps all cells.
        map_size: Size (h, w) of the maps, required for ``'flatten'``.
        dropout: Probability of the dropout before each hidden layer.
        conv_dropout: Probability of the dropout of the maps before the convolutions.
        normalize: Whether embeddings have unit length; TCC trains without normalisation.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        ValueError: If ``pool`` is unknown, or is ``'flatten'`` without ``map_size``.
    """

    def __init__(
        self,
        in_channels: int = 1024,
        num_context: int = 2,
        *,
        conv_channels: tuple[int, ...] = (512, 512),
        fc_channels: tuple[int, ...] = (512, 512),
        out_channels: int = 128,
        pool: Pool = 'max',
        map_size: tuple[int, int] | None = None,
        dropout: float = 0.1,
        conv_dropout: float = 0.0,
        normalize: bool = True,
        init_cfg: dict[str, Any] | None = None,
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
        conv: Any
        for conv in self.convs:
            he_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
        layer: Any
        for layer in (*self.fcs, self.out):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """Embed maps ``(N * num_context, C, h, w)``, see :func:`stack_context`, as ``(N, D)``, float32."""
        return self.embed(maps).embeddings

    def embed(self, maps: Tensor) -> Embedded:
        """Embed maps as :meth:`forward` does, and return the maps before pooling as well.

        Raises:
            ValueError: If the number of maps does not divide into steps, or they do not have the size ``map_size``.
        """
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
        """Pool maps ``(N, C, T, h, w)`` over time and space, or flatten them, channels last as in the release."""
        if self.pool == 'max':
            return x.amax(dim=(2, 3, 4))
        if self.pool == 'mean':
            return x.mean(dim=(2, 3, 4))
        if tuple(x.shape[-2:]) != self.map_size:
            raise ValueError(
                f'maps are {tuple(x.shape[-2:])}, but map_size is {self.map_size}: set it to the size of the maps'
            )
        return x.movedim(1, -1).flatten(1)

    def weight_penalty(self, weight: float = 1e-5) -> Tensor:
        """Compute the weight decay of the release: the *mean* over parameters of ``weight`` times their sum of squares.

        The parameters are the weights and biases of convolutions and linear layers; norms and the frame encoder are
        excluded.
        """
        squares = [p.square().sum() for layer in (*self.convs, *self.fcs, self.out) for p in (layer.weight, layer.bias)]
        return weight * torch.stack(squares).mean()
