"""Inferencer that clusters the dense features of videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement

from mmsigma.apis.inferencer import Inferencer, each
from mmsigma.apis.results import VideoResult, contact_sheet, spread
from mmsigma.datasets.vos.segmentation_clips import choose_frames, resize_picture
from mmsigma.io.frame_sources import VideoInput, open_frames
from mmsigma.io.video import write_playable
from mmsigma.ops.resizing import resize_labels
from mmsigma.visualization.overlay import draw_masks


@dataclass(frozen=True, eq=False, repr=False)
class ClusterMaps(VideoResult):
    """Cluster maps of a clip.

    Attributes:
        frames: RGB frames ``(T, H, W, 3)``, uint8, in the size of the video.
        frame_inds: Frame numbers.
        clusters: Cluster of every cell, ``(T, h, w)``, uint8.
        name: Name of the video.
    """

    frames: np.ndarray
    frame_inds: list[int]
    clusters: np.ndarray
    name: str = 'frames'

    @property
    def caption(self) -> str:
        found = len(np.unique(self.clusters))
        return f'{found} clusters in {len(self.frames)} frames, {" x ".join(map(str, self.clusters.shape[1:]))} cells'

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(clusters=self.clusters, frame_inds=np.array(self.frame_inds))

    def table(self) -> list[list[object]]:
        """Return the share of the cells of each frame that each cluster has."""
        titles: list[object] = ['frame', 'cluster', 'share']
        rows: list[list[object]] = []
        for number, cells in zip(self.frame_inds, self.clusters, strict=True):
            values, counts = np.unique(cells, return_counts=True)
            rows += [[number, *row] for row in zip(values.tolist(), (counts / cells.size).tolist(), strict=True)]
        return [titles, *rows]

    def picture(self) -> np.ndarray:
        numbers = spread(len(self.frames))
        return contact_sheet(self._drawn(numbers, 0.5))

    def overlay(self, opacity: float = 0.5) -> np.ndarray:
        """Return RGB frames ``(T, H, W, 3)``, uint8, with each cluster in a colour of its own."""
        return np.stack(self._drawn(list(range(len(self.frames))), opacity))

    def _drawn(self, numbers: list[int], opacity: float) -> list[np.ndarray]:
        masks = resize_labels(self.clusters[numbers] + 1, self.frames.shape[1:3])  # 0 would not be drawn
        return [draw_masks(*pair, opacity) for pair in zip(self.frames[numbers], masks, strict=True)]

    def write_overlay(
        self, path: str | Path, opacity: float = 0.5, fps: float = 4.0, height: int | None = None
    ) -> None:
        """Write the overlay as a video.

        Args:
            path: File to write, ``.mp4``.
            opacity: Opacity of the colours.
            fps: Frames per second.
            height: Height of the video in pixels; None for that of the frames.

        Raises:
            OSError: If it cannot be written.
            ValueError: If its name has another ending.
        """
        write_playable(path, self.overlay(opacity), fps, height=height)


class ClusterSegmenter(Inferencer):
    """Cluster the dense features of frames that are evenly spread over a video.

    ::

        segment = ClusterSegmenter('configs/unsupervised_segmentation/vitb_davis17.py', 'sigma.pth')
        segment('my_video.mp4').write_overlay('clusters.mp4')

    Args:
        config: Config of unsupervised segmentation, see :class:`Inferencer`.
        checkpoint: Weights of the encoder, see :class:`Inferencer`.
        num_clusters: Number of clusters K.
        seed: Seed of k-means.
        **settings: Further arguments of :class:`Inferencer`.
    """

    needs = 'dense_maps'
    use = 'use a config of configs/unsupervised_segmentation to cluster videos'

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        num_clusters: int = 6,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        self.num_clusters, self.seed = num_clusters, seed
        super().__init__(config, checkpoint, **settings)
        self.num_frames, self.img_size = self.cfg.num_frames, self.cfg.img_size

    def adapt(self, cfg: Config) -> Config:
        if self.suits(cfg):
            cfg.model.clustering.update(num_clusters=(self.num_clusters,), seeds=(self.seed,), level='clip')
        return cfg

    @overload
    def __call__(self, video: VideoInput) -> ClusterMaps: ...

    @overload
    def __call__(self, video: list[VideoInput]) -> list[ClusterMaps]: ...

    def __call__(self, video: VideoInput | list[VideoInput]) -> ClusterMaps | list[ClusterMaps]:
        """Cluster a video, or each of several.

        Args:
            video: Video, or list of videos.

        Raises:
            FileNotFoundError: If there is no such video.
            ValueError: If it cannot be read, or is invalid.
        """
        return each(video, self._cluster)

    def _cluster(self, video: VideoInput) -> ClusterMaps:
        reader = open_frames(video)
        numbers = choose_frames(len(reader), self.num_frames)
        frames = np.stack([reader.read(number) for number in numbers])
        clip = torch.from_numpy(np.stack([resize_picture(frame, self.img_size) for frame in frames]))
        data = dict(inputs=[clip.permute(3, 0, 1, 2)], data_samples=[BaseDataElement()])
        with self.autocast():
            (sample,) = self.model.test_step(data)
        return ClusterMaps(frames, numbers, sample.pred_masks[self.num_clusters][0].cpu().numpy(), reader.name)
