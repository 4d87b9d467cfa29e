"""Targets of masked tubes: their pixels, a learnt projection of these, or features of a frozen encoder.

These are the targets of VideoMAE (NeurIPS 2022) and of SIGMA-MLP and SIGMA-DINO (ECCV 2024). A target is called with
normalised clips and the token split, and returns one vector per masked tube.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakValueDictionary

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.checkpoints.io import check_values
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.models.interfaces import FrameEncoder
from mmsigma.models.parts import build_part
from mmsigma.ops import Linear, TokenSplit, gather_tokens, is_traced, opaque, patchify
from mmsigma.ops.precision import NetworkPrecision, at_least_float32, check_precision, network_precision
from mmsigma.registry import MODELS


@MODELS.register_module()
class PixelTarget(BaseModule):
    """Pixels of the masked tubes, normalised per tube and colour channel as in the release of VideoMAE.

    Args:
        patch_size: Side of a tube in pixels.
        tubelet_size: Number of frames of a tube.
        normalize: Whether to standardise each colour channel over the pixels of a tube, with unbiased variance.
        min_deviation: Smallest standard deviation, on the scale 0..255, by which pixels are divided. Without it, as in
            the releases, the noise of tubes without content, such as skies and black borders, becomes a target of the
            same size as all others.
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
        min_deviation: float = 0.0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.patch_size, self.tubelet_size, self.normalize = patch_size, tubelet_size, normalize
        self.min_deviation = min_deviation / 255
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
            tubes = tubes.div_(deviation.clamp_(min=self.min_deviation) + 1e-6)
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
        min_deviation: See :class:`PixelTarget`.
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
        min_deviation: float = 0.0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.patch_size, self.tubelet_size = patch_size, tubelet_size
        self.pixels = PixelTarget(patch_size, tubelet_size, min_deviation=min_deviation, mean=mean, std=std)
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
    """Features of a frozen encoder for one frame of every tubelet (SIGMA-DINO), on the student's grid.

    Each channel is standardised over all tokens of a clip, visible ones included, with unbiased variance; the masked
    tokens are selected afterwards. The paper mentions neither. If the encoder has another grid than the student
    (DINOv2, convolutional networks), its maps are resized bilinearly.

    The encoder is not a submodule: it is in neither optimiser nor checkpoints. It follows ``.to()`` and stays in
    evaluation mode.

    Args:
        model_name: Name of the encoder in timm, any network with feature maps.
        weights: Path of a checkpoint with the parameter names of timm or DINO, ``'hub'`` to fetch the weights of
            timm, or ``'random'`` for an untrained encoder (tests and benchmarks).
        stage: Stage of the encoder, from 0, or from the last one, -1; see :class:`mmsigma.models.TimmEncoder`.
        encoder: Config of a frame encoder of your own, which replaces ``model_name``, ``weights``, ``stage`` and
            ``model_kwargs``; see :class:`mmsigma.models.interfaces.FrameEncoder`.
        img_size: Side in pixels, or (height, width), to which frames of another size are resized for the encoder, with
            antialiasing; None to encode them as they are.
        grid: Token grid (H, W) of the student.
        tubelet_size: Number of frames of a tube of the student.
        frame: Frame of a tubelet to encode, counted from 0.
        standardize: Whether to standardise the tokens.
        precision: ``'auto'`` follows autocast and TF32, several times as fast, unless the processor has no instructions
            for bfloat16; ``'amp'`` always follows them; ``'float32'`` disables them, as the release does.
        frames_per_forward: Largest number of frames in one forward pass; None for all. Small ones are several times as
            fast on a CPU, whose caches they fit.
        every: Encode a frame of every ``every``-th tubelet alone, for a fraction of the cost (not in SIGMA). SIGMA then
            leaves the tubes of the others out of its loss; asked for, they have the features of the tubelet encoded
            before. Channels are standardised over encoded tokens.
        compile: Whether to compile the encoder, or arguments of ``torch.compile``; names of parameters stay.
        mean: Mean of each channel with which clips were normalised, on the scale 0..255.
        std: Standard deviation of each channel with which clips were normalised, on the scale 0..255.
        model_kwargs: Further arguments of ``timm.create_model``.

    Raises:
        CheckpointError: If the weights cannot be fetched, do not fit, or are not finite.
        PartError: If ``encoder`` does not satisfy its protocol.
        ValueError: If timm has no such network or stage, ``precision`` is unknown, ``frame`` is not within a tubelet,
            or ``every`` is not positive.
    """

    grid: tuple[int, ...]

    def __init__(
        self,
        model_name: str = 'vit_base_patch16_224.dino',
        weights: str = 'hub',
        *,
        stage: int = -1,
        encoder: dict[str, Any] | None = None,
        img_size: int | Sequence[int] | None = 224,
        grid: tuple[int, int] = (14, 14),
        tubelet_size: int = 2,
        frame: int = 0,
        standardize: bool = True,
        precision: NetworkPrecision = 'auto',
        frames_per_forward: int | None = None,
        every: int = 1,
        compile: bool | dict[str, Any] = False,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        model_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_precision(precision)
        if not 0 <= frame < tubelet_size:
            raise ValueError(f'frame must be one of the {tubelet_size} of a tubelet, from 0, got {frame}')
        if every < 1:
            raise ValueError(f'every must be positive, got {every}')
        self.img_size = (img_size, img_size) if isinstance(img_size, int) else img_size and tuple(img_size)
        own = dict(type='TimmEncoder', model_name=model_name, weights=weights, stage=stage, model_kwargs=model_kwargs)
        own |= dict(mean=mean, std=std, img_size=self.img_size)
        network = _build_given(encoder) if encoder else _build_of_timm(own)
        network.requires_grad_(False).eval()
        self._encoder = (network,)  # a tuple, which does not register it as a submodule
        self.grid, self.tubelet_size, self.precision = tuple(grid), tubelet_size, precision
        self.frame, self.standardize, self.frames_per_forward = frame, standardize, frames_per_forward
        self.every, self.compiled, self.out_channels = every, compile, network.embed_dims
        self._register()

    def _register(self) -> None:
        if self.compiled:  # in place; copies come without
            self.encoder.compile(**(self.compiled if isinstance(self.compiled, dict) else {}))
        self._number = next(_NUMBERS)
        _TARGETS[self._number] = self

    def __setstate__(self, state: dict[str, Any]) -> None:  # a copy is another target
        super().__setstate__(state)
        self._register()

    @property
    def encoder(self) -> Any:
        """Frozen encoder of frames."""
        return self._encoder[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'FrozenEncoderTarget':
        self.encoder._apply(fn)
        itself: FrozenEncoderTarget = super()._apply(fn, recurse)
        return itself

    @torch.no_grad()
    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Encode the masked tubes of normalised clips ``(B, C, T, H, W)`` as ``(B, N_masked, out_channels)``."""
        batch = len(inputs)
        # (B, C, T, H, W) -> (B * T', C, H, W), one frame per encoded tubelet; their tokens -> (B, N', D)
        frames = inputs[:, :, self.frame :: self.tubelet_size * self.every].transpose(1, 2).flatten(0, 1)
        if is_traced():
            device, tokens_per_frame = frames.device.type, self.grid[0] * self.grid[1]
            autocast = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
            tokens = _opaque_frozen(frames, self._number, tokens_per_frame, self.out_channels, *autocast)
        else:
            tokens = self.encode(frames)
        tokens = tokens.unflatten(0, (batch, -1)).flatten(1, 2)
        places, per_slot = split.masked, self.grid[0] * self.grid[1]
        if self.every > 1:  # among the tokens of encoded tubelets
            places = places // (per_slot * self.every) * per_slot + places % per_slot
        return _chosen(tokens, places, self.standardize)

    def encode(self, frames: Tensor) -> Tensor:
        """Encode frames ``(n, 3, H, W)`` as tokens ``(n, h * w, D)``, float32, on the student's grid (h, w)."""
        if self.img_size and frames.shape[-2:] != self.img_size:
            frames = F.interpolate(frames, size=self.img_size, mode='bilinear', antialias=True)
        maps = self.maps(frames)
        if maps.shape[-2:] != self.grid:
            maps = F.interpolate(maps, size=self.grid, mode='bilinear', align_corners=False)
        return maps.flatten(2).transpose(1, 2)

    def maps(self, frames: Tensor) -> Tensor:
        """Encode frames ``(n, 3, H, W)`` as maps ``(n, D, h, w)``, float32, on the encoder's own grid."""
        parts = frames.split(self.frames_per_forward or len(frames))
        with network_precision(self.precision, frames.device.type):
            maps = torch.cat([self.encoder(part) for part in parts])
        return at_least_float32(maps)


@MODELS.register_module()
class StoredTarget(BaseModule):
    """Features of a frozen encoder that were computed once, and that the loader has cropped like the clip.

    They are standardised like those of :class:`FrozenEncoderTarget`. The pipeline has ``LoadTargetMaps`` after the
    crop; ``mmsigma cache-teacher`` writes what it reads.

    Args:
        out_channels: Number D of channels of the features.
        grid: Token grid (h, w) of the student.
        tubelet_size: Number of frames of a tube of the student.
        standardize: Whether to standardise the tokens.
    """

    reads = 'target_maps'

    def __init__(
        self,
        out_channels: int,
        *,
        grid: tuple[int, int] = (14, 14),
        tubelet_size: int = 2,
        standardize: bool = True,
    ) -> None:
        super().__init__()
        self.out_channels, self.grid, self.tubelet_size = out_channels, tuple(grid), tubelet_size
        self.standardize = standardize

    @torch.no_grad()
    def forward(self, inputs: Tensor, split: TokenSplit) -> Tensor:
        """Choose the features of masked tubes.

        Args:
            inputs: Features of all tubes, ``(B, T', h * w, D)``.
            split: Indices of the visible and the masked tokens.

        Returns:
            Features ``(B, N_masked, D)``, float32.

        Raises:
            ValueError: If the features have another shape.
        """
        expected = (math.prod(self.grid), self.out_channels)
        if inputs.ndim != 4 or inputs.shape[2:] != expected:
            raise ValueError(
                f'model.target expects features (B, T, {expected[0]}, {expected[1]}), got {tuple(inputs.shape)}: '
                'out_channels and grid must be those of the maps and of LoadTargetMaps; clips need FrozenEncoderTarget'
            )
        return _chosen(at_least_float32(inputs).flatten(1, 2), split.masked, self.standardize)


def _chosen(tokens: Tensor, places: Tensor, standardize: bool) -> Tensor:
    """Standardise the channels of tokens ``(B, N, D)`` over each clip, and return those at places ``(B, M)``."""
    if standardize:
        variance, mean = torch.var_mean(tokens, dim=1, keepdim=True)
        tokens = (tokens - mean) / (variance.sqrt() + 1e-6)
    return gather_tokens(tokens, places)


# Switches of precision, and much of what others write, break the graph of torch.compile. An operation cannot be given a
# module, only the number of its target.
_NUMBERS = itertools.count()
_TARGETS: WeakValueDictionary[int, FrozenEncoderTarget] = WeakValueDictionary()


def _run_frozen(
    frames: Tensor, number: int, num_tokens: int, channels: int, amp: bool, amp_dtype: torch.dtype
) -> Tensor:
    with torch.autocast(frames.device.type, amp_dtype, enabled=amp):  # it is off while a compiled graph runs
        return _TARGETS[number].encode(frames).contiguous()


def _like_frozen(
    frames: Tensor, number: int, num_tokens: int, channels: int, amp: bool, amp_dtype: torch.dtype
) -> Tensor:
    dtype = torch.promote_types(frames.dtype, torch.float32)
    return frames.new_empty(len(frames), num_tokens, channels, dtype=dtype)


_opaque_frozen = opaque('frozen_encoder', _run_frozen, _like_frozen)


def _build_of_timm(config: dict[str, Any]) -> FrameEncoder:
    try:
        return build_part(config, FrameEncoder, 'model.target')
    except CheckpointError as error:  # the message names the key of an encoder that is the backbone itself
        raise CheckpointError(str(error).replace('model.backbone.', 'model.target.')) from error


def _build_given(config: dict[str, Any]) -> FrameEncoder:
    encoder: Any = build_part(config, FrameEncoder, 'model.target.encoder')
    if isinstance(encoder, BaseModule):
        encoder.init_weights()  # here, since it is not a submodule; it loads what init_cfg names
    state = encoder.state_dict()
    check_values(state, state, 'model.target.encoder')
    checked: FrameEncoder = encoder
    return checked
