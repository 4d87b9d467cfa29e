"""Inferencer that clusters the dense features of a single video."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from mmsigma.apis.models import build_inference_model
from mmsigma.datasets.vos.segmentation_clips import choose_frames, resize_picture
from mmsigma.io.video import FrameReader, write_playable
from mmsigma.ops.resizing import resize_labels
from mmsigma.utils.config import load_config
from mmsigma.visualization.overlay import draw_masks


class ClusterMaps(NamedTuple):
    """Cluster maps of a clip.

    Attributes:
        frames: RGB frames ``(T, H, W, 3)``, uint8, in the size of the video.
        frame_inds: Frame numbers.
        clusters: Cluster of every cell, ``(T, h, w)``, uint8.
    """

    frames: np.ndarray
    frame_inds: list[int]
    clusters: np.ndarray

    def overlay(self, opacity: float = 0.5) -> np.ndarray:
        """Return RGB frames ``(T, H, W, 3)``, uint8, with each cluster in a colour of its own."""
        masks = resize_labels(self.clusters + 1, self.frames.shape[1:3])  # 0 would not be drawn
        return np.stack([draw_masks(*pair, opacity) for pair in zip(self.frames, masks, strict=True)])

    def write_overlay(
        self, path: str | Path, opacity: float = 0.5, fps: float = 4.0, height: int | None = None
    ) -> None:
        """Write the overlay as a video.

        Args:
            path: File to write.
            opacity: Opacity of the colours.
            fps: Frames per second.
            height: Height of the video in pixels; None for that of the frames.

        Raises:
            OSError: If it cannot be written.
        """
        write_playable(path, self.overlay(opacity), fps, height=height)


class ClusterSegmenter:
    """Cluster the dense features of frames that are evenly spread over a video.

    ::

        segment = ClusterSegmenter('configs/unsupervised_segmentation/vitb_davis17.py', 'sigma.pth')
        segment('dog.mp4').write_overlay('dog_clusters.mp4')

    Args:
        config: Config of unsupervised segmentation, a file or ``package::path``.
        checkpoint: Weights of the encoder, including official files; None if the config has ``weights_in_config``.
        num_clusters: Number of clusters K.
        seed: Seed of k-means.
        device: Device to run on; None for a GPU if there is one.
        options: Changes to the config, as of ``--cfg-options``.
        trust: Whether the checkpoint may execute code while it is loaded.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ValueError: If the config requires a checkpoint and none is given.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not match the model.
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
        trust: bool = False,
    ) -> None:
        cfg = load_config(config, options)
        cfg.model.clustering.update(num_clusters=(num_clusters,), seeds=(seed,), level='clip')
        self.model: Any = build_inference_model(cfg, checkpoint, device, trust=trust)
        self.num_clusters, self.num_frames, self.img_size = num_clusters, cfg.num_frames, cfg.img_size

    def __call__(self, video: str | Path) -> ClusterMaps:
        """Cluster a video.

        Args:
            video: Video file, or folder of frames.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read, or has no frames.
        """
        reader = FrameReader(video)
        numbers = choose_frames(len(reader), self.num_frames)
        frames = np.stack([reader.read(number) for number in numbers])
        clip = torch.from_numpy(np.stack([resize_picture(frame, self.img_size) for frame in frames]))
        data = dict(inputs=[clip.permute(3, 0, 1, 2)], data_samples=[BaseDataElement()])
        (sample,) = self.model.test_step(data)
        return ClusterMaps(frames, numbers, sample.pred_masks[self.num_clusters][0].cpu().numpy())
