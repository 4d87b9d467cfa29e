"""Cluster maps of a user's own video."""

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from mmsigma.apis.features import build_frozen_model
from mmsigma.datasets.segmentation_clips import choose_frames, resize_picture
from mmsigma.datasets.transforms.decoding import ReadClip
from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from mmsigma.utils.masks import davis_palette
from mmsigma.utils.preflight import check_config
from mmsigma.utils.video import write_mp4

_FOLDER = dict(open=dict(type='FrameFolderInit'), decode=dict(type='FrameFolderDecode'))


class ClusterMaps(NamedTuple):
    """Clusters of a clip.

    Attributes:
        frames: RGB frames (T, H, W, 3), uint8, of the video's own size.
        frame_inds: Their numbers.
        clusters: Cluster of every cell (T, h, w), uint8.
    """

    frames: np.ndarray
    frame_inds: list[int]
    clusters: np.ndarray

    def overlay(self, opacity: float = 0.5) -> np.ndarray:
        """Frames with each cluster in a colour of its own, uint8 (T, H, W, 3)."""
        height, width = self.frames.shape[1:3]
        colours = davis_palette()[1:][self.clusters]  # 0 would be black
        painted = [cv2.resize(map_, (width, height), interpolation=cv2.INTER_NEAREST) for map_ in colours]
        return ((1 - opacity) * self.frames + opacity * np.stack(painted)).round().astype(np.uint8)

    def write_overlay(self, path: str | Path, opacity: float = 0.5, fps: float = 4.0) -> None:
        """Write the overlay as a video.

        Raises:
            OSError: If it cannot be written.
        """
        write_mp4(path, self.overlay(opacity), fps)


class ClusterInferencer:
    """Clusters the dense features of frames that are evenly spread over a video.

    ::

        inferencer = ClusterInferencer('configs/unsupervised_segmentation/vitb_davis17.py', 'sigma.pth')
        inferencer('dog.mp4').write_overlay('dog_clusters.mp4')

    Args:
        config: Config of an unsupervised segmentation, a file or ``package::path``.
        checkpoint: Weights of the encoder, official files included; None for encoders that bring their own.
        num_clusters: K.
        seed: Of k-means.
        device: Where to run; a GPU if there is one.
        options: Changes of the config, as of ``--cfg-options``.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        mmsigma.utils.checkpoint.CheckpointError: If the checkpoint does not fit.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        num_clusters: int = 6,
        seed: int = 0,
        device: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        cfg = load_config(config, options)
        check_config(cfg)
        cfg.model.clustering.update(num_clusters=(num_clusters,), seeds=(seed,), level='clip')
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        if checkpoint is None:
            self.model = MODELS.build(cfg.model).to(device).eval()
        else:
            self.model = build_frozen_model(cfg, str(checkpoint), device)
        self.num_clusters, self.img_size = num_clusters, cfg.img_size
        self.sampling = dict(type=_EvenFrames, number=cfg.num_frames)

    def __call__(self, video: str | Path, decoder: str | dict = 'decord') -> ClusterMaps:
        """Cluster a video.

        Args:
            video: A video file, or a folder of frames.
            decoder: Of video files; see :class:`mmsigma.datasets.transforms.ReadClip`.

        Raises:
            mmsigma.datasets.transforms.UnreadableVideoError: If the video is missing, damaged or empty.
        """
        read = ReadClip(self.sampling, _FOLDER if Path(video).is_dir() else decoder)
        results = read(dict(filename=str(video), start_index=0, modality='RGB'))
        frames = np.stack(results['imgs'])
        clip = torch.from_numpy(np.stack([resize_picture(frame, self.img_size) for frame in frames]))
        data = dict(inputs=[clip.permute(3, 0, 1, 2)], data_samples=[BaseDataElement()])
        (sample,) = self.model.test_step(data)
        clusters = sample.pred_masks[self.num_clusters][0].cpu().numpy()
        return ClusterMaps(frames, np.ravel(results['frame_inds']).tolist(), clusters)


class _EvenFrames(BaseTransform):
    def __init__(self, number: int) -> None:
        self.number = number

    def transform(self, results: dict) -> dict:
        results['frame_inds'] = np.array(choose_frames(results['total_frames'], self.number))
        return results
