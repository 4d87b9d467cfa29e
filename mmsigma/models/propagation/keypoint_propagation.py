"""Key-points of the first frame, found again in later ones by the similarity of features."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.ops.keypoints import gaussian_labels, weighted_points
from mmsigma.registry import MODELS


@MODELS.register_module()
class KeypointPropagation(FramePropagation):
    """Tracks the joints of the first frame with the features of a frozen encoder (CRW, Jabri et al. 2020).

    ::

        labels   = bells around the joints of the first frame              (h, w, 1 + J)
        labels   = affinity to first and previous frames x labels          (h, w, 1 + J)
        joints   = weighted mean of the best cells of each joint           (J, 2)

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`.
        propagator: Config of what carries the labels, with the type ``'ContextPropagator'``, the default; hard labels,
            as ``'MASTPropagator'`` feeds back, are no key-points.
        sigma: Standard deviation of a joint's label in cells.
        k: Cells that say where a joint is.
        **settings: ``precision`` and ``init_cfg`` of :class:`FramePropagation`.

    Raises:
        ValueError: If the precision is unknown, or ``sigma`` or ``k`` is not positive.
    """

    def __init__(
        self,
        backbone: dict,
        geometry: dict | None = None,
        propagator: dict | None = None,
        *,
        sigma: float = 0.5,
        k: int = 3,
        **settings,
    ) -> None:
        super().__init__(backbone, geometry, propagator, **settings)
        if sigma <= 0 or k < 1:
            raise ValueError(f'sigma and k must be positive, got {sigma} and {k}')
        self.sigma, self.k = sigma, k

    def predict_video(self, sequence: Any, sample: Any) -> None:
        """Set ``pred_joints``, float64 (T, J, 2), of a video.

        Args:
            sequence: Has ``frames``, ``read_frame`` and ``read_joints``, as
                :class:`mmsigma.datasets.vos.keypoint_dataset.JointSequence` does.
            sample: Of the video.
        """
        sample.set_field(np.stack(list(self.track(sequence))), 'pred_joints')

    @torch.no_grad()
    def track(self, sequence: Any) -> Iterator[np.ndarray]:
        """Joints (x, y), (J, 2), in pixels from 0, of one frame after the other; negative where one is lost.

        The first frame's are those given, at the resolution of the cells.
        """
        propagator = self.new_propagator()
        given = None
        for number in range(len(sequence.frames)):
            picture = sequence.read_frame(number)
            features = self.encode(self.geometry.prepare(picture))
            if number == 0:
                given = self._labels(sequence.read_joints()[0], picture.shape[:2]).to(features.device)
            labels = propagator.step(features, given if number == 0 else None)
            joints = weighted_points(labels[..., 1:], self.k).double().cpu().numpy()
            lost = joints < 0
            joints = self.geometry.points_in_pixels(joints, picture.shape[:2])
            # padding lies before pixel 0: a joint there is not lost
            yield np.where(lost, -1.0, joints.clip(min=0))

    def _labels(self, joints: np.ndarray, size: tuple[int, int]) -> Tensor:
        """Background, which nothing is decided by, and joints (h, w, 1 + J), from their pixels (J, 2)."""
        cells = torch.from_numpy(self.geometry.points_in_cells(joints, size))
        maps = gaussian_labels(cells, self.geometry.grid(size), self.sigma)
        return torch.cat([1 - maps.amax(dim=-1, keepdim=True), maps], dim=-1)
