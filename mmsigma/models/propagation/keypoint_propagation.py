"""Key-point propagation: the joints of the first frame, tracked by the similarity of features (CRW, NeurIPS 2020)."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmsigma.models.interfaces import JointSource
from mmsigma.models.propagation.frame_propagation import FramePropagation
from mmsigma.ops.keypoints import gaussian_labels, weighted_points
from mmsigma.registry import MODELS


@MODELS.register_module()
class KeypointPropagation(FramePropagation):
    """Tracks the joints of the first frame with the features of a frozen encoder (CRW, Jabri et al. 2020).

    ::

        labels   = Gaussians around the joints of the first frame          (h, w, 1 + J)
        labels   = affinity to first and previous frames x labels          (h, w, 1 + J)
        joints   = weighted mean of the best cells of each joint           (J, 2)

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`.
        propagator: Config of the propagator, of the type ``'ContextPropagator'`` (the default). ``'MASTPropagator'``
            does not suit key points, as it propagates hard labels.
        sigma: Standard deviation of the label of a joint in cells.
        k: Number of cells whose weighted mean is the position of a joint.
        **settings: Arguments ``precision`` and ``init_cfg`` of :class:`FramePropagation`.

    Raises:
        ValueError: If ``precision`` is unknown, or ``sigma`` or ``k`` is not positive.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        geometry: dict[str, Any] | None = None,
        propagator: dict[str, Any] | None = None,
        *,
        sigma: float = 0.5,
        k: int = 3,
        **settings: Any,
    ) -> None:
        super().__init__(backbone, geometry, propagator, **settings)
        if sigma <= 0 or k < 1:
            raise ValueError(f'sigma and k must be positive, got {sigma} and {k}')
        self.sigma, self.k = sigma, k

    def predict_video(self, sequence: JointSource, sample: Any) -> None:
        """Track the joints of a video, and set ``pred_joints``, ``(T, J, 2)``, float64, of its data sample.

        Args:
            sequence: Video with joints.
            sample: Data sample of the video.
        """
        sample.set_field(np.stack(list(self.track(sequence))), 'pred_joints')

    @torch.no_grad()
    def track(self, sequence: JointSource) -> Iterator[npt.NDArray[np.float64]]:
        """Track the joints of a video frame by frame.

        Args:
            sequence: Video with joints.

        Yields:
            Joints (x, y) of a frame in pixels from 0, ``(J, 2)``; negative for a lost joint. Those of the first frame
            are the given ones at the resolution of the cells.
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
            # a joint in the padding, before pixel 0, is not lost
            yield np.where(lost, -1.0, joints.clip(min=0))

    def _labels(self, joints: npt.NDArray[np.float64], size: tuple[int, int]) -> Tensor:
        """Convert joints in pixels, ``(J, 2)``, to labels of background (ignored) and joints, ``(h, w, 1 + J)``."""
        cells = torch.from_numpy(self.geometry.points_in_cells(joints, size))
        maps = gaussian_labels(cells, self.geometry.grid(size), self.sigma)
        return torch.cat([1 - maps.amax(dim=-1, keepdim=True), maps], dim=-1)
