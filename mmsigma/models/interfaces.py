"""Contracts between an algorithm and the parts that its config names: what a part of your own has to offer.

A part is any ``nn.Module`` (or, where said, any object) with the members of its protocol; nothing has to be inherited.
Algorithms build their parts with :func:`build_part`, which checks them at once: a part that lacks a member is reported
when the model is built, not in the first step of training. ``docs/interfaces.md`` has an example of each.

Shapes: B clips or images, C channels, T frames, H x W pixels, h x w cells, D widths of features, N tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from mmsigma.registry import MODELS

if TYPE_CHECKING:
    from mmsigma.models.clip_views import ClipViews
    from mmsigma.models.gta.context_embedder import Embedded
    from mmsigma.models.gta.losses.video_group import VideoGroup
    from mmsigma.models.mask_vos.networks import EncodedFrame
    from mmsigma.ops import TokenSplit

GUIDE = 'docs/interfaces.md'

Part = TypeVar('Part')


class Network(Protocol):
    """The members of ``nn.Module`` that algorithms use of their parts."""

    training: bool

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """All parameters."""

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""

    def modules(self) -> Iterator[nn.Module]:
        """The module and all modules inside it."""

    def train(self, mode: bool = True) -> Any:
        """Switch between training and evaluation."""

    def eval(self) -> Any:
        """Switch to evaluation."""

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all parameters."""


# --- encoders ---------------------------------------------------------------------------------------------------------


class ClipEncoder(Network, Protocol):
    """Encodes clips as tokens: the backbone of classifiers and of repetition counting.

    Attributes:
        embed_dims: Width D of the tokens.
    """

    embed_dims: int

    def __call__(self, inputs: Tensor, /) -> Tensor:
        """Tokens (B, N, D) of normalised clips (B, C, T, H, W)."""


class VideoEncoder(ClipEncoder, Protocol):
    """Encodes clips as tokens, one per tube, of which some may be masked: the backbone of SIGMA.

    One that also encodes single frames, as clips in which nothing moves, has ``stride``, too, which is ``patch_size``,
    and takes clips of any size.

    Attributes:
        grid: Tubes of a clip along time, height and width (T', h, w).
        tubelet_size: Frames per tube.
        patch_size: Side of a tube in pixels.
    """

    grid: tuple[int, int, int]
    tubelet_size: int
    patch_size: int

    def __call__(self, inputs: Tensor, mask: TokenSplit | None = None, /) -> Tensor:
        """Tokens (B, N_visible, D) in (t, h, w) order of normalised clips (B, C, T, H, W); all N without ``mask``."""


class FrameEncoder(Network, Protocol):
    """Encodes single frames as dense maps: the backbone of label propagation, GTA, DINO and unsupervised segmentation.

    Attributes:
        embed_dims: Width D of the maps.
        stride: Side of a cell in pixels; the sides of images are multiples of it.
    """

    embed_dims: int
    stride: int

    def __call__(self, images: Tensor, /) -> Tensor:
        """Maps (B, D, H / stride, W / stride) of normalised images (B, 3, H, W)."""


def sees_clips(encoder: Any) -> TypeGuard[VideoEncoder]:
    """Whether an encoder is one of clips, not of frames: one with a ``tubelet_size``."""
    return hasattr(encoder, 'tubelet_size')


# --- SIGMA ------------------------------------------------------------------------------------------------------------


class Target(Network, Protocol):
    """Turns masked tubes into what is to be predicted of them (SIGMA's projection network).

    A target that depends on how clips are cut also has ``tubelet_size``, ``patch_size`` or ``grid`` (h, w), which SIGMA
    checks against the backbone.

    Attributes:
        out_channels: Width D of the target.
    """

    out_channels: int

    def __call__(self, inputs: Tensor, split: TokenSplit, /) -> Tensor:
        """Targets (B, N_masked, D) of the masked tubes of normalised clips (B, C, T, H, W)."""


class Decoder(Network, Protocol):
    """Predicts the masked tubes from the encoded visible ones; built with ``in_channels, out_channels, grid``."""

    def __call__(self, tokens: Tensor, mask: TokenSplit, /) -> Tensor:
        """Predictions (B, N_masked, D) in token order from tokens (B, N_visible, C)."""


class PredictionHead(Network, Protocol):
    """Compares predictions with targets; built with ``in_channels``, the width D of both."""

    def loss(self, pred: Tensor, target: Tensor, /) -> dict[str, Tensor]:
        """Losses and statistics of predictions and targets, both (B, N_masked, D).

        What is optimised has a name that begins with ``loss``; no other name may contain that word.
        """


# --- classification ---------------------------------------------------------------------------------------------------


class ClassifierHead(Network, Protocol):
    """Classifies clips by their tokens; built with ``in_channels``.

    Attributes:
        num_classes: Number of classes K.
    """

    num_classes: int

    def __call__(self, tokens: Tensor, /) -> Tensor:
        """Logits (B, K) of tokens (B, N, D)."""

    def loss(self, tokens: Tensor, targets: Tensor, /) -> dict[str, Tensor]:
        """Losses of tokens (B, N, D) and labels (B,), or distributions (B, K) after mixing."""

    def scores(self, logits: Tensor, /) -> Tensor:
        """Scores (B, K) of videos from the logits (B, V, K) of their views."""


# --- Mask-VOS ---------------------------------------------------------------------------------------------------------


class VisualEncoder(FrameEncoder, Protocol):
    """The visual encoder E of Mask-VOS: keys to match frames by, and maps for the decoder. Its stride is 8."""

    def encode(self, images: Tensor, /) -> EncodedFrame:
        """Keys, features and skips of normalised images (B, 3, H, W)."""


class PatchKeyEncoder(VisualEncoder, Protocol):
    """A visual encoder that also has a key for a whole image, which walks over patches need (CRW)."""

    def pooled_keys(self, images: Tensor, /) -> Tensor:
        """Unit keys (B, D), one for each normalised image (B, 3, H, W)."""


class LabKeyEncoder(VisualEncoder, Protocol):
    """A visual encoder that sees Lab colours, of which one can be hidden from it (MAST)."""

    def lab(self, images: Tensor, /) -> Tensor:
        """Lab colours (..., 3, H, W) of normalised images (..., 3, H, W)."""

    def colour_features(self, lab: Tensor, /) -> Tensor:
        """Features (B, D, h, w), of any norm, of Lab images (B, 3, H, W)."""


class MaskEncoder(Network, Protocol):
    """The frame-mask encoder V: what an object looks like, from a frame and its mask."""

    def __call__(self, images: Tensor, masks: Tensor, features: Tensor, /) -> Tensor:
        """Embeddings (B, 512, h, w) of images (B, 3, H, W), masks (B, 1, H, W) and features of E (B, 512, h, w)."""


class ObjectDecoder(Network, Protocol):
    """The mask decoder D: the mask of an object, from what the memory holds of it and a guess embedded by V."""

    def __call__(self, readout: Tensor, guess: Tensor, skip8: Tensor, skip4: Tensor, /) -> Tensor:
        """Logits (B, 1, 8 h, 8 w) from maps (B, 512, h, w), twice, and the skips of :class:`EncodedFrame`."""


class Correspondence(Network, Protocol):
    """A scheme that learns correspondence without labels (Mask-VOS, tables 4a and 4f).

    Attributes:
        uses_keys: Whether ``loss`` needs the keys of the clips, which are None otherwise.
        encoder_interface: Protocol that the visual encoder has to satisfy for this scheme.
    """

    uses_keys: bool
    encoder_interface: type[VisualEncoder]

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: Any, /) -> dict[str, Tensor]:
        """Losses of clips, from the keys of their images (B, T, D, h, w) and, for other images, the encoder."""


# --- label propagation ------------------------------------------------------------------------------------------------


class Propagator(Protocol):
    """Carries labels through one video, a frame at a time, by the similarity of features. No ``nn.Module``."""

    def step(self, features: Tensor, given: Tensor | None = None, /) -> Tensor:
        """Soft labels (h, w, V) of the next frame from its features (h, w, C) and labels given in it (h, w, V)."""


class Segmenter(Protocol):
    """Segments one video, a frame at a time: state between frames, and the user's object ids. No ``nn.Module``."""

    def step(self, picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.integer[Any]] | None = None, /) -> Any:
        """Ids (H, W), uint8, of the next picture (H, W, 3), with the ids (H, W) that are given in it."""


class VideoSource(Protocol):
    """A video with masks given in some of its frames, read frame by frame.

    Attributes:
        frames: Its frames; only their number matters here.
        given: Numbers of the frames with masks.
    """

    frames: Sequence[Any]
    given: Collection[int]

    def read_frame(self, number: int, /) -> npt.NDArray[np.uint8]:
        """RGB picture (H, W, 3), uint8."""

    def read_mask(self, number: int, /) -> npt.NDArray[np.uint8]:
        """Ids (H, W), uint8; 0 is the background, 255 is ignored."""


# --- alignment --------------------------------------------------------------------------------------------------------


class ContextNeck(Network, Protocol):
    """Embeds each moment of a video from the maps of its frame and of some before it; built with ``in_channels``.

    Attributes:
        num_context: Frames per moment.
    """

    num_context: int

    def __call__(self, maps: Tensor, /) -> Tensor:
        """Embeddings (N, D) of maps (N * num_context, C, h, w), the oldest of a moment first."""

    def embed(self, maps: Tensor, /) -> Embedded:
        """The same, with the maps before pooling."""

    def weight_penalty(self) -> Tensor:
        """Weight decay as a term of the loss."""


class GroupHead(Network, Protocol):
    """Turns the embeddings of videos of one action into losses.

    Attributes:
        interleaved: Whether frames come as anchor, positive, anchor, positive (TCN).
    """

    interleaved: bool

    def loss(self, videos: VideoGroup, /) -> dict[str, Tensor]:
        """Losses of the group and statistics; see :meth:`PredictionHead.loss` for their names."""


class AlignmentLoss(Network, Protocol):
    """A loss between videos of one action, for the head :class:`mmsigma.models.AlignmentHead`.

    Attributes:
        interleaved: Whether frames come as anchor, positive, anchor, positive (TCN).
    """

    interleaved: bool

    def __call__(self, videos: VideoGroup, /) -> dict[str, Tensor]:
        """Terms of the loss, whose names begin with ``loss_``, and statistics."""


# --- checks -----------------------------------------------------------------------------------------------------------


class PartError(ValueError):
    """A part that does not satisfy the protocol of its place; the message says what it lacks."""


def build_part(config: Mapping[str, Any], interface: type[Part], key: str) -> Part:
    """Build a part from its config and check that it satisfies a protocol.

    Args:
        config: Config of the part, with a ``type``.
        interface: The protocol.
        key: The config's key of the part, such as ``'model.backbone'``, to be named in errors.

    Raises:
        PartError: If the part lacks members of the protocol.
    """
    return require(MODELS.build(config), interface, key)


def require(part: Any, interface: type[Part], key: str) -> Part:
    """Return a part that satisfies a protocol.

    Raises:
        PartError: If it lacks members of the protocol; they, the protocol and the page that explains it are named.
    """
    if missing := [name for name in members(interface) if not hasattr(part, name)]:
        needed = ', '.join(repr(name) for name in missing)
        raise PartError(
            f'{key}: {type(part).__name__} has no {needed}, which {interface.__name__} of mmsigma.models.interfaces '
            f'asks for: add what is missing, as {GUIDE} shows, or choose another part'
        )
    return part


def members(interface: type) -> list[str]:
    """Names of all members of a protocol, in order of definition, inherited ones first."""
    found: dict[str, None] = {}
    for base in reversed(interface.__mro__):
        if base in (object, Protocol) or base.__module__ == 'typing':
            continue
        found |= dict.fromkeys(base.__dict__.get('__annotations__', ()))
        found |= {name: None for name, value in vars(base).items() if _is_method(name, value)}
    return list(found)


def _is_method(name: str, value: Any) -> bool:
    return callable(value) and (name == '__call__' or not name.startswith('_'))
