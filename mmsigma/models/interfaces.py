"""Protocols between an algorithm and the parts that its config names, which parts of your own have to satisfy.

A part is any ``nn.Module`` (any object where the protocol says so) with the members of its protocol; it need not
inherit from anything. Algorithms build their parts with :func:`mmsigma.models.parts.build_part`, which checks them at
once, so that a missing member is reported when the model is built, not in the first step of training.
``docs/interfaces.md`` lists all protocols and the places that ask for them.

Letters in shapes: B clips or images, C channels, T frames, H x W pixels, h x w cells, D feature channels, N tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

if TYPE_CHECKING:
    from mmsigma.models.clip_views import ClipViews
    from mmsigma.models.gta.context_embedder import Embedded
    from mmsigma.models.gta.losses.video_group import VideoGroup
    from mmsigma.models.mask_vos.networks import EncodedFrame
    from mmsigma.ops import TokenSplit


class Network(Protocol):
    """Members of ``nn.Module`` that algorithms use."""

    training: bool

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Iterate over all parameters."""

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Iterate over all buffers."""

    def modules(self) -> Iterator[nn.Module]:
        """Iterate over the module itself and all modules inside it."""

    def train(self, mode: bool = True) -> Any:
        """Switch between training and evaluation mode."""

    def eval(self) -> Any:
        """Switch to evaluation mode."""

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all parameters."""


# --- encoders ---------------------------------------------------------------------------------------------------------


class ClipEncoder(Network, Protocol):
    """Encoder of clips as tokens: the backbone of classification and of repetition counting.

    Attributes:
        embed_dims: Number D of channels of the tokens.
    """

    embed_dims: int

    def __call__(self, inputs: Tensor, /) -> Tensor:
        """Encode normalised clips ``(B, C, T, H, W)`` as tokens ``(B, N, D)``."""


class VideoEncoder(ClipEncoder, Protocol):
    """Encoder of clips as tokens, one per tube, some of which may be masked: the backbone of SIGMA.

    A video encoder that is to encode single frames as well, as clips in which nothing moves, also has a ``stride``,
    which equals ``patch_size``, and accepts clips of any size.

    Attributes:
        grid: Numbers of tubes of a clip along time, height and width, ``(T', h, w)``.
        tubelet_size: Number of frames of a tube.
        patch_size: Side of a tube in pixels.
    """

    grid: tuple[int, int, int]
    tubelet_size: int
    patch_size: int

    def __call__(self, inputs: Tensor, mask: TokenSplit | None = None, /) -> Tensor:
        """Encode normalised clips ``(B, C, T, H, W)`` as tokens ``(B, N_visible, D)`` in the order (t, h, w).

        Without ``mask``, all N tokens are encoded.
        """


class FrameEncoder(Network, Protocol):
    """Encoder of single frames as dense maps: the backbone of label propagation, GTA and DINO.

    Attributes:
        embed_dims: Number D of channels of the maps.
        stride: Side of a cell in pixels; the sides of images are multiples of it.
    """

    embed_dims: int
    stride: int

    def __call__(self, images: Tensor, /) -> Tensor:
        """Encode normalised images ``(B, 3, H, W)`` as maps ``(B, D, H / stride, W / stride)``."""


def sees_clips(encoder: Any) -> TypeGuard[VideoEncoder]:
    """Return whether an encoder encodes clips rather than frames, which its ``tubelet_size`` tells."""
    return hasattr(encoder, 'tubelet_size')


# --- SIGMA ------------------------------------------------------------------------------------------------------------


class Target(Network, Protocol):
    """Network that computes, for each masked tube, the feature to be predicted (SIGMA's projection network).

    A target that depends on how clips are cut into tubes also has ``tubelet_size``, ``patch_size`` or ``grid``,
    ``(h, w)``, which SIGMA checks against the backbone. One that is computed for every n-th slot of time alone has
    ``every``, this n, and SIGMA asks for the tubes of no other slot. One whose features come with the clips has
    ``reads``, the name of the field of the data samples that it is called with instead of the clips.

    Attributes:
        out_channels: Number D of channels of the target.
    """

    out_channels: int

    def __call__(self, inputs: Tensor, split: TokenSplit, /) -> Tensor:
        """Compute targets ``(B, N_masked, D)`` of the masked tubes of normalised clips ``(B, C, T, H, W)``."""


class Decoder(Network, Protocol):
    """Decoder that predicts the targets of masked tubes from visible tokens.

    It is built with ``in_channels``, ``out_channels`` and ``grid``.
    """

    def __call__(self, tokens: Tensor, mask: TokenSplit, /) -> Tensor:
        """Predict targets ``(B, N_masked, D)``, in token order, from tokens ``(B, N_visible, C)``."""


class PredictionHead(Network, Protocol):
    """Head that compares predictions with targets; it is built with ``in_channels``, the channels D of both."""

    def loss(self, pred: Tensor, target: Tensor, /) -> dict[str, Tensor]:
        """Compute losses and statistics of predictions and targets, both ``(B, N_masked, D)``.

        Names of terms to optimise begin with ``loss``; no other name may contain that word.
        """


# --- classification ---------------------------------------------------------------------------------------------------


class ClassifierHead(Network, Protocol):
    """Head that classifies clips by their tokens; it is built with ``in_channels``.

    Attributes:
        num_classes: Number of classes K.
    """

    num_classes: int

    def __call__(self, tokens: Tensor, /) -> Tensor:
        """Compute logits ``(B, K)`` of tokens ``(B, N, D)``."""

    def loss(self, tokens: Tensor, targets: Tensor, /) -> dict[str, Tensor]:
        """Compute losses of tokens ``(B, N, D)`` for labels ``(B,)``, or, after mixing, distributions ``(B, K)``."""

    def scores(self, logits: Tensor, /) -> Tensor:
        """Merge the logits ``(B, V, K)`` of V views of each video into scores ``(B, K)``."""


# --- Mask-VOS ---------------------------------------------------------------------------------------------------------


class VisualEncoder(FrameEncoder, Protocol):
    """Visual encoder E of Mask-VOS, of stride 8: keys for matching frames, and maps for the mask decoder."""

    def encode(self, images: Tensor, /) -> EncodedFrame:
        """Encode normalised images ``(B, 3, H, W)`` as keys, features and skips."""


class PatchKeyEncoder(VisualEncoder, Protocol):
    """Visual encoder that also computes one key for a whole image, which random walks over patches need (CRW)."""

    def pooled_keys(self, images: Tensor, /) -> Tensor:
        """Compute one key of unit length for each normalised image ``(B, 3, H, W)``, ``(B, D)``."""


class LabKeyEncoder(VisualEncoder, Protocol):
    """Visual encoder of Lab colours, from which one colour channel can be hidden (MAST)."""

    def lab(self, images: Tensor, /) -> Tensor:
        """Convert normalised images ``(..., 3, H, W)`` to Lab colours ``(..., 3, H, W)``."""

    def colour_features(self, lab: Tensor, /) -> Tensor:
        """Encode Lab images ``(B, 3, H, W)`` as features ``(B, D, h, w)`` of any length."""


class FineKeyEncoder(FrameEncoder, Protocol):
    """Encoder that also computes keys of smaller cells, which the clustering of Mask-VOS can use.

    Attributes:
        fine_stride: Side of these cells in pixels.
    """

    fine_stride: int

    def fine_keys(self, images: Tensor, /) -> Tensor:
        """Compute keys ``(B, D, H / fine_stride, W / fine_stride)`` of normalised images ``(B, 3, H, W)``."""


class MaskEncoder(Network, Protocol):
    """Frame-mask encoder V of Mask-VOS, which embeds the appearance of an object, given a frame and its mask."""

    def __call__(self, images: Tensor, masks: Tensor, features: Tensor, /) -> Tensor:
        """Embed images ``(B, 3, H, W)`` with masks ``(B, 1, H, W)`` and features of E ``(B, W, h, w)``.

        Returns:
            Embeddings ``(B, W, h, w)``.
        """


class ObjectDecoder(Network, Protocol):
    """Mask decoder D of Mask-VOS, which decodes the mask of an object from its read-out and a guess embedded by V."""

    def __call__(self, readout: Tensor, guess: Tensor, skip8: Tensor, skip4: Tensor, /) -> Tensor:
        """Decode two maps ``(B, W, h, w)`` and the skips of :class:`EncodedFrame` to logits ``(B, 1, 8 h, 8 w)``."""


class Correspondence(Network, Protocol):
    """Scheme that learns correspondence without labels (Mask-VOS, tables 4a and 4f).

    Attributes:
        uses_keys: Whether ``loss`` needs the keys of the clips; they are None otherwise.
        encoder_interface: Protocol that this scheme requires of the visual encoder.
    """

    uses_keys: bool
    encoder_interface: type[VisualEncoder]

    def loss(self, keys: Tensor | None, clip: ClipViews, encoder: Any, /) -> dict[str, Tensor]:
        """Compute losses of clips from the keys of their images, ``(B, T, D, h, w)``; the encoder encodes others."""


# --- label propagation ------------------------------------------------------------------------------------------------


class Propagator(Protocol):
    """Object, not a module, that propagates the labels of one video frame by frame by the similarity of features."""

    def step(self, features: Tensor, given: Tensor | None = None, /) -> Tensor:
        """Predict soft labels ``(h, w, V)`` of the next frame.

        Args:
            features: Features of the frame, ``(h, w, C)``.
            given: Labels given in the frame, ``(h, w, V)``; None if there are none.
        """


class Segmenter(Protocol):
    """Object, not a module, that segments one video frame by frame and keeps the state between frames."""

    def step(
        self, picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.integer[Any]] | None = None, /
    ) -> npt.NDArray[np.uint8]:
        """Segment the next frame into ids ``(H, W)``, uint8.

        Args:
            picture: RGB picture, ``(H, W, 3)``, uint8.
            mask: Ids given in the frame, ``(H, W)``; None if there are none.
        """


class VideoSource(Protocol):
    """Video with masks given in some of its frames, which is read frame by frame.

    Attributes:
        frames: Frames of the video; models use their number alone.
        given: Numbers of the frames in which masks are given.
    """

    frames: Sequence[Any]
    given: Collection[int]

    def read_frame(self, number: int, /) -> npt.NDArray[np.uint8]:
        """Read an RGB picture ``(H, W, 3)``, uint8."""

    def read_mask(self, number: int, /) -> npt.NDArray[np.uint8]:
        """Read ids ``(H, W)``, uint8, where 0 is background and 255 is ignored."""


class JointSource(Protocol):
    """Video whose joints are annotated, at least in its first frame, which is read frame by frame.

    Attributes:
        frames: Frames of the video; models use their number alone.
    """

    frames: Sequence[Any]

    def read_frame(self, number: int, /) -> npt.NDArray[np.uint8]:
        """Read an RGB picture ``(H, W, 3)``, uint8."""

    def read_joints(self) -> npt.NDArray[np.float64]:
        """Read the joints (x, y) of the annotated frames in pixels from 0, ``(T, J, 2)``."""


# --- alignment --------------------------------------------------------------------------------------------------------


class ContextNeck(Network, Protocol):
    """Embedder of the steps of a video, given maps of each step's frame and of context frames before it.

    It is built with ``in_channels``.

    Attributes:
        num_context: Number of frames of a step, its own included.
    """

    num_context: int

    def __call__(self, maps: Tensor, /) -> Tensor:
        """Embed maps ``(N * num_context, C, h, w)``, the oldest of each step first, as ``(N, D)``."""

    def embed(self, maps: Tensor, /) -> Embedded:
        """Embed maps, and return the maps before pooling as well."""

    def weight_penalty(self) -> Tensor:
        """Return the weight decay as a term of the loss, a scalar."""


class GroupHead(Network, Protocol):
    """Head that computes losses from the embeddings of videos of one action.

    Attributes:
        interleaved: Whether frames alternate between anchors and their positives (TCN).
    """

    interleaved: bool

    def loss(self, videos: VideoGroup, /) -> dict[str, Tensor]:
        """Compute losses and statistics of the group; for their names, see :meth:`PredictionHead.loss`."""


class AlignmentLoss(Network, Protocol):
    """Loss between videos of one action, for the head :class:`mmsigma.models.AlignmentHead`.

    Attributes:
        interleaved: Whether frames alternate between anchors and their positives (TCN).
    """

    interleaved: bool

    def __call__(self, videos: VideoGroup, /) -> dict[str, Tensor]:
        """Compute the terms of the loss, whose names begin with ``loss_``, and statistics."""
