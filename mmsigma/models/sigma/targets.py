"""What a masked tube is to be predicted as: its pixels, a learnt projection of them, or features of a frozen encoder.

Every target is called with the normalised clip and the token split and returns one vector per masked tube.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.backbones.timm_weights import create_timm_vit
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.ops import Linear, TokenSplit, full_float32, gather_tokens, patchify
from mmsigma.registry import MODELS


@MODELS.register_module()
class PixelTarget(BaseModule):
    """Pixels of the masked tubes (VideoMAE), normalised per tube and colour as its release does.

    Args:
        patch_size: Side of a tube in pixels.
        tubelet_size: Frames per tube.
        normalize: Standardise each tube per colour channel over its pixels, with unbiased variance.
        mean: Mean that the clip was normalised with, 0..255 scale.
        std: Standard deviation that the clip was normalised with, 0..255 scale.
    """

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
        """Cut out the masked tubes.

        Args:
            inputs: Normalised video (B, C, T, H, W).
            split: Visible and masked tokens.

        Returns:
            (B, N_masked, tubelet_size * patch_size ** 2 * C), the colour channel fastest.
        """
        tubes = patchify(inputs, self.tubelet_size, self.patch_size, split.masked)
        tubes = tubes.unflatten(-1, (len(self.mean), -1)).mul_(self.std[:, None]).add_(self.mean[:, None])
        if self.normalize:
            # in place and by mean and norm: a hundred times faster on a CPU than torch.var_mean
            tubes = tubes.sub_(tubes.mean(dim=-1, keepdim=True))
            deviation = torch.linalg.vector_norm(tubes, dim=-1, keepdim=True) / math.sqrt(tubes.shape[-1] - 1)
            tubes = tubes.div_(deviation + 1e-6)
        return tubes.transpose(-1, -2).flatten(-2)


@MODELS.register_module()
class MLPTarget(BaseModule):
    """A projection network trained along with the video model (SIGMA-MLP): four linear layers over pixel tubes.

    Args:
        hidden_channels: Widths between the layers.
        out_channels: Width of the target.
        patch_size: Side of a tube in pixels.
        tubelet_size: Frames per tube.
        mean: Mean that the clip was normalised with, 0..255 scale.
        std: Standard deviation that the clip was normalised with, 0..255 scale.
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
        """Project the masked tubes of a normalised video (B, C, T, H, W) to (B, N_masked, out_channels)."""
        return self.mlp(self.pixels(inputs, split))


@MODELS.register_module()
class FrozenEncoderTarget(BaseModule):
    """Patch tokens of a frozen image encoder (SIGMA-DINO), on one frame of every tubelet.

    The tokens of a clip are standardised per channel over all of its tokens, visible ones included, with unbiased
    variance; only then the masked ones are selected. The paper says nothing of either. A grid other than the student's
    is resized bilinearly (DINOv2).

    The encoder is no submodule: mmengine's weight initialisation would overwrite it (timm models have an
    ``init_weights`` of their own), and neither optimiser nor checkpoint should know it. It follows ``.to()`` and
    always stays in evaluation mode.

    Args:
        model_name: timm name of the encoder.
        weights: A local checkpoint with timm's or DINO's parameter names; ``'hub'`` to fetch timm's weights; or
            ``'random'`` for an untrained encoder (tests and benchmarks).
        img_size: Side of the frames in pixels, or (height, width).
        grid: Token grid (H, W) of the student.
        tubelet_size: Frames per tube of the student.
        frame: Which frame of a tubelet is encoded, counted from 0.
        standardize: Whether to standardise the tokens; without, they are as the encoder gives them.
        precision: ``'float32'`` leaves autocast and TF32, as the release does; ``'amp'`` follows them, several times
            faster.
        model_kwargs: Further arguments of ``timm.create_model``.
    """

    def __init__(
        self,
        model_name: str = 'vit_base_patch16_224.dino',
        weights: str = 'hub',
        *,
        img_size: int | tuple[int, int] = 224,
        grid: tuple[int, int] = (14, 14),
        tubelet_size: int = 2,
        frame: int = 0,
        standardize: bool = True,
        precision: str = 'float32',
        model_kwargs: dict | None = None,
    ) -> None:
        super().__init__()
        model_kwargs = dict(model_kwargs or {})
        if precision not in ('float32', 'amp'):
            raise ValueError(f"precision must be 'float32' or 'amp', got {precision!r}")
        if not 0 <= frame < tubelet_size:
            raise ValueError(f'frame must be one of the {tubelet_size} of a tubelet, from 0, got {frame}')
        img_size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        encoder = create_timm_vit(model_name, weights, 'model.target.weights', img_size=img_size, **model_kwargs)
        encoder.requires_grad_(False).eval()
        self._encoder = (encoder,)  # a tuple: not registered as a submodule
        self.grid, self.tubelet_size, self.precision = tuple(grid), tubelet_size, precision
        self.frame, self.standardize = frame, standardize
        self.out_channels: int = encoder.num_features

    @property
    def encoder(self) -> nn.Module:
        """The frozen encoder, a timm vision transformer."""
        return self._encoder[0]

    def _apply(self, fn: Callable, recurse: bool = True) -> 'FrozenEncoderTarget':
        self.encoder._apply(fn)
        return super()._apply(fn, recurse)

    @torch.no_grad()
    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Encode the masked tubes of a normalised video (B, C, T, H, W) to (B, N_masked, out_channels)."""
        batch = len(inputs)
        frames = inputs[:, :, self.frame :: self.tubelet_size].transpose(1, 2).flatten(0, 1)
        tokens = self.encode(frames).unflatten(0, (batch, -1)).flatten(1, 2)
        if self.standardize:
            variance, mean = torch.var_mean(tokens, dim=1, keepdim=True)
            tokens = (tokens - mean) / (variance.sqrt() + 1e-6)
        return gather_tokens(tokens, split.masked)

    def encode(self, frames: Tensor) -> Tensor:
        """Patch tokens (n, H * W, D), float32, of frames (n, 3, H, W) on the student's grid."""
        if self.precision == 'float32':
            with full_float32(frames.device.type):
                tokens = self.encoder.forward_features(frames)
        else:
            tokens = self.encoder.forward_features(frames)
        tokens = tokens[:, self.encoder.num_prefix_tokens :].float()
        own_grid = self.encoder.patch_embed.grid_size
        if own_grid != self.grid:
            maps = tokens.transpose(1, 2).unflatten(-1, own_grid)
            maps = F.interpolate(maps, size=self.grid, mode='bilinear', align_corners=False)
            tokens = maps.flatten(2).transpose(1, 2)
        return tokens
