"""Targets of masked tubes: their pixels, a learnt projection of these, or features of a frozen encoder.

These are the targets of VideoMAE (NeurIPS 2022) and of SIGMA-MLP and SIGMA-DINO (ECCV 2024). A target is called with
normalised clips and the token split, and returns one vector per masked tube.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones.timm_weights import create_timm_vit
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.ops import Linear, TokenSplit, full_float32, gather_tokens, patchify
from mmsigma.registry import MODELS

TargetPrecision = Literal['float32', 'amp']


@MODELS.register_module()
class PixelTarget(BaseModule):
    """Pixels of the masked tubes, normalised per tube and colour channel as in the release of VideoMAE.

    Args:
        patch_size: Side of a tube in pixels.
        tubelet_size: Number of frames of a tube.
        normalize: Whether to standardise each colour channel over the pixels of a tube, with unbiased variance.
        mean: Mean of each channel with which clips were normalised, on the scale 0..255.
        std: Standard deviation of each channel with which clips were normalised, on the scale 0..255.
    """

    mean: Tensor  # (C,)
    std: Tensor  # (C,)

    def __init__(
        self,
        patch_size: int = 16,
        tubelet_size: int = 2,
        *,
        normalize: bool = True,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.patch_size, self.tubelet_size, self.normalize = patch_size, tubelet_size, normalize
        self.out_channels = len(mean) * tubelet_size * patch_size**2
        self.register_buffer('mean', torch.tensor(mean) / 255, persistent=False)
        self.register_buffer('std', torch.tensor(std) / 255, persistent=False)

    @torch.no_grad()
    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Cut the masked tubes out of clips.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.
            split: Indices of the visible and the masked tokens.

        Returns:
            Pixels ``(B, N_masked, tubelet_size * patch_size ** 2 * C)``, with the colour channel last.
        """
        tubes = patchify(inputs, self.tubelet_size, self.patch_size, split.masked)
        # (B, N_masked, C, pixels of a tube), on the scale 0..1
        tubes = tubes.unflatten(-1, (len(self.mean), -1)).mul_(self.std[:, None]).add_(self.mean[:, None])
        if self.normalize:
            # in place, with mean and norm: on a CPU a hundred times as fast as torch.var_mean
            tubes = tubes.sub_(tubes.mean(dim=-1, keepdim=True))
            deviation = torch.linalg.vector_norm(tubes, dim=-1, keepdim=True) / math.sqrt(tubes.shape[-1] - 1)
            tubes = tubes.div_(deviation + 1e-6)
        pixels: Tensor = tubes.transpose(-1, -2).flatten(-2)
        return pixels


@MODELS.register_module()
class MLPTarget(BaseModule):
    """Projection network that is trained with the video model (SIGMA-MLP): by default four linear layers on pixels.

    Args:
        hidden_channels: Numbers of channels of the hidden layers.
        out_channels: Number of channels of the target.
        patch_size: Side of a tube in pixels.
        tubelet_size: Number of frames of a tube.
        mean: Mean of each channel with which clips were normalised, on the scale 0..255.
        std: Standard deviation of each channel with which clips were normalised, on the scale 0..255.
    """

    def __init__(
        self,
        hidden_channels: Sequence[int] = (1024, 1024, 512),
        out_channels: int = 256,
        *,
        patch_size: int = 16,
        tubelet_size: int = 2,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.patch_size, self.tubelet_size = patch_size, tubelet_size
        self.pixels = PixelTarget(patch_size, tubelet_size, mean=mean, std=std)
        widths = [self.pixels.out_channels, *hidden_channels, out_channels]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [Linear(before, after), nn.GELU()]
        self.mlp = nn.Sequential(*layers[:-1])
        self.out_channels = out_channels

    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Project the masked tubes of normalised clips ``(B, C, T, H, W)`` to ``(B, N_masked, out_channels)``."""
        projected: Tensor = self.mlp(self.pixels(inputs, split))
        return projected


@MODELS.register_module()
class FrozenEncoderTarget(BaseModule):
    """Patch tokens of a frozen image encoder for one frame of every tubelet (SIGMA-DINO).

    Each channel is standardised over all tokens of a clip, visible ones included, with unbiased variance; the masked
    tokens are selected afterwards. The paper mentions neither. If the encoder has another grid than the student
    (DINOv2), its tokens are resized bilinearly.

    The encoder is not a submodule: MMEngine's weight initialisation would overwrite it, as models of timm have an
    ``init_weights`` of their own, and it belongs neither to the optimiser nor to checkpoints. It follows ``.to()`` and
    always stays in evaluation mode.

    Args:
        model_name: Name of the encoder in timm.
        weights: Path of a checkpoint with the parameter names of timm or DINO, ``'hub'`` to fetch the weights of
            timm, or ``'random'`` for an untrained encoder (tests and benchmarks).
        img_size: Side of the frames in pixels, or (height, width).
        grid: Token grid (H, W) of the student.
        tubelet_size: Number of frames of a tube of the student.
        frame: Frame of a tubelet to encode, counted from 0.
        standardize: Whether to standardise the tokens.
        precision: ``'float32'`` disables autocast and TF32, as the release does; ``'amp'`` follows them, which is
            several times as fast.
        model_kwargs: Further arguments of ``timm.create_model``.

    Raises:
        CheckpointError: If the weights cannot be fetched or do not fit.
        ValueError: If ``precision`` is unknown, or ``frame`` is not within a tubelet.
    """

    grid: tuple[int, ...]

    def __init__(
        self,
        model_name: str = 'vit_base_patch16_224.dino',
        weights: str = 'hub',
        *,
        img_size: int | Sequence[int] = 224,
        grid: tuple[int, int] = (14, 14),
        tubelet_size: int = 2,
        frame: int = 0,
        standardize: bool = True,
        precision: TargetPrecision = 'float32',
        model_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        model_kwargs = dict(model_kwargs or {})
        if precision not in ('float32', 'amp'):
            raise ValueError(f"precision must be 'float32' or 'amp', got {precision!r}")
        if not 0 <= frame < tubelet_size:
            raise ValueError(f'frame must be one of the {tubelet_size} of a tubelet, from 0, got {frame}')
        img_size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        encoder: Any = create_timm_vit(model_name, weights, 'model.target.weights', img_size=img_size, **model_kwargs)
        encoder.requires_grad_(False).eval()
        self._encoder = (encoder,)  # a tuple, which does not register it as a submodule
        self.grid, self.tubelet_size, self.precision = tuple(grid), tubelet_size, precision
        self.frame, self.standardize = frame, standardize
        self.out_channels: int = encoder.num_features

    @property
    def encoder(self) -> Any:
        """Frozen encoder, a vision transformer of timm."""
        return self._encoder[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'FrozenEncoderTarget':
        self.encoder._apply(fn)
        itself: FrozenEncoderTarget = super()._apply(fn, recurse)
        return itself

    @torch.no_grad()
    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Encode the masked tubes of normalised clips ``(B, C, T, H, W)`` as ``(B, N_masked, out_channels)``."""
        batch = len(inputs)
        # (B, C, T, H, W) -> (B * T', C, H, W), one frame per tubelet; their tokens -> (B, N, D)
        frames = inputs[:, :, self.frame :: self.tubelet_size].transpose(1, 2).flatten(0, 1)
        tokens = self.encode(frames).unflatten(0, (batch, -1)).flatten(1, 2)
        if self.standardize:
            variance, mean = torch.var_mean(tokens, dim=1, keepdim=True)
            tokens = (tokens - mean) / (variance.sqrt() + 1e-6)
        return gather_tokens(tokens, split.masked)

    def encode(self, frames: Tensor) -> Tensor:
        """Encode frames ``(n, 3, H, W)`` as patch tokens ``(n, h * w, D)``, float32, on the student's grid (h, w)."""
        if self.precision == 'float32':
            with full_float32(frames.device.type):
                tokens: Tensor = self.encoder.forward_features(frames)
        else:
            tokens = self.encoder.forward_features(frames)
        tokens = tokens[:, self.encoder.num_prefix_tokens :].float()
        own_grid = self.encoder.patch_embed.grid_size
        if own_grid != self.grid:
            maps = tokens.transpose(1, 2).unflatten(-1, own_grid)
            maps = F.interpolate(maps, size=self.grid, mode='bilinear', align_corners=False)
            tokens = maps.flatten(2).transpose(1, 2)
        return tokens
