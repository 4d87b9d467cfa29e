"""Unsupervised video object segmentation: the dense features of a frozen encoder, clustered."""

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.interfaces import Network, build_part, sees_clips
from mmsigma.ops.dense_clustering import ClipClusterer
from mmsigma.registry import MODELS

_HALF_MAX = torch.finfo(torch.float16).max


@MODELS.register_module()
class FeatureClustering(BaseModel):
    """Segments clips by k-means of dense features, without any training (TimeTuning; SIGMA, ECCV 2024).

    ::

        maps     = backbone(inputs)                       (T', h, w, D)
        points   = upsample(pca(standardise(maps)))       (T', H, W, D')
        clusters = kmeans(points of the clip, K)          (T', H, W)
        clusters = each repeated T / T' times             (T, H, W)

    A video transformer sees the clip and gives a map per tube; an encoder of frames, any module from images (B, 3, H,
    W) to maps (B, D, h, w), sees one frame after the other and gives a map per frame.

    Args:
        backbone: Config of the encoder; of a video transformer with as many frames as the clips have, and with
            ``final_norm=True`` if the weights are those of pre-training.
        data_preprocessor: Config of the preprocessor.
        clustering: Arguments of :class:`mmsigma.ops.dense_clustering.ClipClusterer`. At the data-set level the
            model only adds features, and the metric, which sees all clips, does the rest.
        frames_per_forward: Largest number of frames that go through an encoder of frames at once; None for all.
        init_cfg: mmengine's initialisation config.
    """

    def __init__(
        self,
        backbone: dict,
        data_preprocessor: dict | None = None,
        clustering: dict | None = None,
        *,
        frames_per_forward: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='VideoDataPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, Network, 'model.backbone')
        self.backbone.requires_grad_(False)
        self.sees_clips = sees_clips(self.backbone)
        self.clustering = ClipClusterer(**(clustering or {}))
        self.frames_per_forward = frames_per_forward

    def forward(self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor') -> Tensor | list:
        """Run the model.

        Args:
            inputs: Normalised clips (B, C, T, H, W).
            data_samples: One per clip, with ``gt_masks`` (T, H, W) if their ids say how many clusters there are.
            mode: ``'tensor'`` for features (B, T', h, w, D), or ``'predict'`` for ``data_samples`` with
                ``pred_masks``: by number of clusters the cluster maps of all seeds (S, T, H, W), uint8. At the data-set
                level they get ``dense_maps`` (T', h, w, D), float16 where that is enough, in their place.

        Raises:
            ValueError: If there is no such mode, the backbone's maps do not fit the clips, or ground truth is lacking.
        """
        if mode == 'tensor':
            return self.dense_maps(inputs)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'predict' or 'tensor', got {mode!r}")

    @torch.no_grad()
    def dense_maps(self, inputs: Tensor) -> Tensor:
        """Features (B, T', h, w, D) of clips (B, C, T, H, W), T' maps that stand for T / T' frames each."""
        if self.sees_clips:
            size, patch = inputs.shape[-2:], self.backbone.patch_size
            grid = (inputs.shape[2] // self.backbone.tubelet_size, size[0] // patch, size[1] // patch)
            return self.backbone(inputs).unflatten(1, grid)
        frames = inputs.transpose(1, 2).flatten(0, 1)
        maps = torch.cat([self.backbone(part) for part in frames.split(self.frames_per_forward or len(frames))])
        if maps.ndim != 4 or len(maps) != len(frames):
            raise ValueError(
                f'an encoder of frames gives maps (B, D, h, w), got {tuple(maps.shape)} for {len(frames)} frames'
            )
        return maps.movedim(1, -1).unflatten(0, (len(inputs), inputs.shape[2]))

    def predict(self, inputs: Tensor, data_samples: list) -> list:
        """Add cluster maps, or features at the data-set level, to the samples of clips."""
        for sample, maps in zip(data_samples, self.dense_maps(inputs), strict=True):
            if self.clustering.level == 'dataset':
                fits = bool(maps.abs().amax() < _HALF_MAX)  # infinite and undefined features stay visible as such
                sample.set_data({'dense_maps': maps.half() if fits else maps})
            else:
                sample.set_data({'pred_masks': self.cluster(maps, sample.get('gt_masks'), inputs.shape[2])})
        return data_samples

    def cluster(self, maps: Tensor, truth: Tensor | None, num_frames: int) -> dict[int | str, Tensor]:
        """Cluster maps of all seeds (S, T, H, W), uint8, of the features (T', h, w, D) of a clip of T frames."""
        (found,) = self.clustering.cluster([maps], None if truth is None else [truth])
        return {
            number: clusters.repeat_interleave(num_frames // len(maps), dim=1) for number, clusters in found.items()
        }
