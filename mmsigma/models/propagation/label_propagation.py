"""Video object segmentation by the similarity of features, for any encoder."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.logging import MMLogger
from torch import Tensor

from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.models.propagation.inference_core import InferenceCore
from mmsigma.registry import MODELS


@MODELS.register_module()
class LabelPropagation(FramePropagation):
    """Segments videos from the first mask of each object with the features of a frozen encoder (CRW, DUL, DINO, MAST).

    ::

        features = backbone(prepared frame)                                (h, w, C)
        labels   = affinity to first and previous frames x labels          (h, w, V)
        ids      = argmax of the labels at the frame's own size            (H, W)

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`.
        propagator: Config of what carries the labels, with the type ``'ContextPropagator'``, the default, or
            ``'MASTPropagator'``.
        keep_given: See :class:`mmsigma.models.propagation.inference_core.InferenceCore`.
        **settings: ``precision`` and ``init_cfg`` of :class:`FramePropagation`.

    Raises:
        ValueError: If the precision is unknown.
    """

    def __init__(
        self,
        backbone: dict,
        geometry: dict | None = None,
        propagator: dict | None = None,
        *,
        keep_given: bool = True,
        **settings,
    ) -> None:
        super().__init__(backbone, geometry, propagator, **settings)
        self.keep_given = keep_given

    def predict_video(self, sequence: Any, sample: Any) -> None:
        """Set ``pred_masks``, uint8 (T, H, W), of a video, or ``failure``, if it cannot be segmented.

        Args:
            sequence: Has ``frames``, ``given``, ``read_frame`` and ``read_mask``, as
                :class:`mmsigma.datasets.vos.sequences.VOSSequence` does.
            sample: Of the video.
        """
        predict_masks(self.new_inference_core(), sequence, sample)

    def segment(self, sequence: Any) -> Iterator[np.ndarray]:
        """Ids (H, W), uint8, of one frame of a video after the other."""
        return segment_video(self.new_inference_core(), sequence)

    def new_inference_core(self) -> InferenceCore:
        """An inference core for one video."""
        propagator = self.new_propagator()

        def carry(picture: np.ndarray, given: Tensor | None) -> Tensor:
            features = self.encode(self.geometry.prepare(picture))
            cells = None if given is None else self.geometry.labels_of_cells(given.to(features.device))
            if cells is not None:
                _warn_of_lost(core, given, cells)
            return self.geometry.labels_of_pixels(propagator.step(features, cells), picture.shape[:2])

        core = InferenceCore(carry, self.keep_given)
        return core


def _warn_of_lost(core: InferenceCore, given: Tensor, cells: Tensor) -> None:
    """Name the objects of masks (V, H, W), background first, that have no part of any cell (h, w, V)."""
    is_lost = given[1:].flatten(1).any(dim=1) & (cells[..., 1:].flatten(0, 1).amax(dim=0) == 0).to(given.device)
    if lost := [number for number, gone in zip(core.ids, is_lost.tolist(), strict=True) if gone]:
        names = f'{"objects" if len(lost) > 1 else "object"} {", ".join(map(str, lost))}'
        MMLogger.get_current_instance().warning(
            f'frame {core.frame - 1}: no cell has a part of {names}, too small for {cells.shape[0]} x '
            f'{cells.shape[1]} cells: later frames will be without'
        )


def segment_video(core: InferenceCore, sequence: Any) -> Iterator[np.ndarray]:
    """Ids (H, W), uint8, of one frame of a video after the other; masks are given where the video says so."""
    for number in range(len(sequence.frames)):
        mask = sequence.read_mask(number) if number in sequence.given else None
        yield core.step(sequence.read_frame(number), mask)


def predict_masks(core: InferenceCore, sequence: Any, sample: Any) -> None:
    """Set ``pred_masks``, uint8 (T, H, W), of a video's sample, or ``failure``, why it could not be segmented."""
    try:
        sample.set_field(np.stack(list(segment_video(core, sequence))), 'pred_masks')
    except ValueError as error:  # of a frame or a mask; the other videos are not to be lost
        sample.set_field(str(error), 'failure')
