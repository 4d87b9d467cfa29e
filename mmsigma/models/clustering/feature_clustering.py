"""Unsupervised video object segmentation by clustering the dense features of a frozen encoder."""

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.interfaces import Network, sees_clips
from mmsigma.models.parts import build_part
from mmsigma.ops.dense_clustering import ClipClusterer
from mmsigma.registry import MODELS

_HALF_MAX = torch.finfo(torch.float16).max


@MODELS.register_module()
class FeatureClustering(BaseModel):
    """Segments clips by k-means on dense features, without any training (TimeTuning; SIGMA, ECCV 2024).

    ::

        maps     = backbone(inputs)                       (T', h, w, D)
        points   = upsample(pca(standardise(maps)))       (T', H, W, D')
        clusters = kmeans(points of the clip, K)          (T', H, W)
        clusters = each repeated T / T' times             (T, H, W)

    A video transformer encodes the whole clip, with one map per tubelet. A frame encoder, which is any module from
    images ``(B, 3, H, W)`` to maps ``(B, D, h, w)``, encodes each frame by itself, with one map per frame.

    Args:
        backbone: Config of the encoder. A video transformer needs as many frames as the clips have, and
            ``final_norm=True`` if its weights come from pre-training.
        data_preprocessor: Config of the data preprocessor, ``VideoDataPreprocessor`` by default.
        clustering: Arguments of :class:`mmsigma.ops.dense_clustering.ClipClusterer`. At the dataset level, the model
            only computes features, and the metric, which sees all clips, clusters them.
        frames_per_forward: Largest number of frames in one forward pass of a frame encoder; None for all.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If the backbone is not a module.
    """

    backbone: Any  # a VideoEncoder, or any module from images to maps

    def __init__(
        self,
        backbone: dict[str, Any],
        data_preprocessor: dict[str, Any] | None = None,
        clustering: dict[str, Any] | None = None,
        *,
        frames_per_forward: int | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='VideoDataPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, Network, 'model.backbone')
        self.backbone.requires_grad_(False)
        self.sees_clips = sees_clips(self.backbone)
        self.clustering = ClipClusterer(**(clustering or {}))
        self.frames_per_forward = frames_per_forward

    def forward(
        self, inputs: Tensor, data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> Tensor | list[Any]:
        """Run the model.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.
            data_samples: Data samples, one per clip, with ``gt_masks`` ``(T, H, W)`` if these determine the number of
                clusters; ignored for ``mode='tensor'``.
            mode: ``'tensor'`` or ``'predict'``.

        Returns:
            For ``'tensor'``, features ``(B, T', h, w, D)``. For ``'predict'``, ``data_samples`` with ``pred_masks``,
            which has the cluster maps of all seeds, ``(S, T, H, W)``, uint8, for each number of clusters; or, at the
            dataset level, with ``dense_maps``, ``(T', h, w, D)``, in float16 unless they exceed its range.

        Raises:
            ValueError: If the mode is unknown, the maps of the backbone do not fit the clips, or ground truth is
                missing.
        """
        if mode == 'tensor':
            return self.dense_maps(inputs)
        if mode == 'predict':
            if data_samples is None:
                raise ValueError("mode='predict' needs data_samples")
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'predict' or 'tensor', got {mode!r}")

    @torch.no_grad()
    def dense_maps(self, inputs: Tensor) -> Tensor:
        """Compute the dense features of clips.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)``.

        Returns:
            Features ``(B, T', h, w, D)``, of which each of the T' maps stands for T / T' frames.

        Raises:
            ValueError: If a frame encoder does not return one map per frame.
        """
        if self.sees_clips:
            size, patch = inputs.shape[-2:], self.backbone.patch_size
            grid = (inputs.shape[2] // self.backbone.tubelet_size, size[0] // patch, size[1] // patch)
            tube_maps: Tensor = self.backbone(inputs).unflatten(1, grid)
            return tube_maps
        frames = inputs.transpose(1, 2).flatten(0, 1)
        maps = torch.cat([self.backbone(part) for part in frames.split(self.frames_per_forward or len(frames))])
        if maps.ndim != 4 or len(maps) != len(frames):
            raise ValueError(
                f'an encoder of frames gives maps (B, D, h, w), got {tuple(maps.shape)} for {len(frames)} frames: '
                'choose an encoder of clips or of frames as model.backbone'
            )
        frame_maps: Tensor = maps.movedim(1, -1).unflatten(0, (len(inputs), inputs.shape[2]))
        return frame_maps

    def predict(self, inputs: Tensor, data_samples: list[Any]) -> list[Any]:
        """Set the cluster maps of the samples or, at the dataset level, their features; see :meth:`forward`."""
        for sample, maps in zip(data_samples, self.dense_maps(inputs), strict=True):
            if self.clustering.level == 'dataset':
                fits = bool(maps.abs().amax() < _HALF_MAX)  # NaN and inf fail the test, so that they stay as they are
                sample.set_data({'dense_maps': maps.half() if fits else maps})
            else:
                sample.set_data({'pred_masks': self.cluster(maps, sample.get('gt_masks'), inputs.shape[2])})
        return data_samples

    def cluster(self, maps: Tensor, truth: Tensor | None, num_frames: int) -> dict[int | str, Tensor]:
        """Cluster the features of a clip.

        Args:
            maps: Features ``(T', h, w, D)``.
            truth: Ground truth ``(T, H, W)``, if it determines the number of clusters; None otherwise.
            num_frames: Number T of frames of the clip.

        Returns:
            Cluster maps of all seeds, ``(S, T, H, W)``, uint8, for each number of clusters.
        """
        (found,) = self.clustering.cluster([maps], None if truth is None else [truth])
        return {
            number: clusters.repeat_interleave(num_frames // len(maps), dim=1) for number, clusters in found.items()
        }
