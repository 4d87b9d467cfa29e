"""Video object segmentation by label propagation, for any encoder (CRW, DUL, DINO, MAST)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.models.interfaces import Segmenter, VideoSource
from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.models.propagation.inference_core import InferenceCore
from mmsigma.registry import MODELS


@MODELS.register_module()
class LabelPropagation(FramePropagation):
    """Segments videos from the first mask of each object with the features of a frozen encoder.

    ::

        features = backbone(prepared frame)                                (h, w, C)
        labels   = affinity to first and previous frames x labels          (h, w, V)
        ids      = argmax of the labels at the frame's own size            (H, W)

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`.
        propagator: Config of the propagator, of the type ``'ContextPropagator'`` (the default) or
            ``'MASTPropagator'``.
        keep_given: Whether objects keep their masks in the frames in which they are given; see
            :class:`mmsigma.models.propagation.inference_core.InferenceCore`.
        **settings: Arguments ``precision`` and ``init_cfg`` of :class:`FramePropagation`.

    Raises:
        ValueError: If ``precision`` is unknown.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        geometry: dict[str, Any] | None = None,
        propagator: dict[str, Any] | None = None,
        *,
        keep_given: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(backbone, geometry, propagator, **settings)
        self.keep_given = keep_given

    def predict_video(self, sequence: VideoSource, sample: Any) -> None:
        """Segment a video and set the fields of its data sample; see :func:`predict_masks`.

        Args:
            sequence: Video with given masks.
            sample: Data sample of the video.
        """
        predict_masks(self.new_inference_core(), sequence, sample)

    def segment(self, sequence: VideoSource) -> Iterator[npt.NDArray[np.uint8]]:
        """Segment a video frame by frame; see :func:`segment_video`."""
        return segment_video(self.new_inference_core(), sequence)

    def new_inference_core(self) -> InferenceCore:
        """Build an inference core for one video."""
        propagator = self.new_propagator()

        def carry(picture: npt.NDArray[np.uint8], given: Tensor | None) -> Tensor:
            features = self.encode(self.geometry.prepare(picture))
            cells = None if given is None else self.geometry.labels_of_cells(given.to(features.device))
            if cells is not None:
                assert given is not None
                _warn_of_lost(core, given, cells)
            return self.geometry.labels_of_pixels(propagator.step(features, cells), picture.shape[:2])

        core = InferenceCore(carry, self.keep_given)
        return core


def _warn_of_lost(core: InferenceCore, given: Tensor, cells: Tensor) -> None:
    """Warn of objects in masks ``(V, H, W)``, background first, that have no share of any cell ``(h, w, V)``."""
    is_lost = given[1:].flatten(1).any(dim=1) & (cells[..., 1:].flatten(0, 1).amax(dim=0) == 0).to(given.device)
    if lost := [number for number, gone in zip(core.ids, is_lost.tolist(), strict=True) if gone]:
        names = f'{"objects" if len(lost) > 1 else "object"} {", ".join(map(str, lost))}'
        MMLogger.get_current_instance().warning(
            f'frame {core.frame - 1}: no cell has a part of {names}, too small for {cells.shape[0]} x '
            f'{cells.shape[1]} cells: later frames will be without'
        )


def segment_video(core: Segmenter, sequence: VideoSource) -> Iterator[npt.NDArray[np.uint8]]:
    """Segment a video frame by frame, with the masks that are given in it.

    Args:
        core: New inference core.
        sequence: Video with given masks.

    Yields:
        Ids of a frame, ``(H, W)``, uint8.
    """
    for number in range(len(sequence.frames)):
        mask = sequence.read_mask(number) if number in sequence.given else None
        yield core.step(sequence.read_frame(number), mask)


def predict_masks(core: Segmenter, sequence: VideoSource, sample: Any) -> None:
    """Segment a video and set ``pred_masks``, ``(T, H, W)``, uint8, of its data sample.

    If the video cannot be segmented, ``failure`` is set to the reason instead.

    Args:
        core: New inference core.
        sequence: Video with given masks.
        sample: Data sample of the video.
    """
    try:
        sample.set_field(np.stack(list(segment_video(core, sequence))), 'pred_masks')
    except ValueError as error:  # a bad frame or mask must not stop the evaluation of the other videos
        sample.set_field(str(error), 'failure')
