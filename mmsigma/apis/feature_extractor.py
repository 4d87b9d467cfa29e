"""Inferencer that computes features of videos."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import Tensor

from mmsigma.apis.features import Pooling, dataset_of, encoder_config, features_of
from mmsigma.apis.inferencer import Inferencer, Pipeline
from mmsigma.apis.results import VideoResult
from mmsigma.io.frame_sources import VideoInput

_MAX_CLIPS = 16  # in one forward pass


@dataclass(frozen=True, eq=False, repr=False)
class VideoFeatures(VideoResult):
    """Features of a video.

    Attributes:
        name: Name of the video.
        features: Features on the CPU, ``(D,)`` for the mean and ``(N, D)`` for tokens.
    """

    name: str
    features: Tensor

    @property
    def caption(self) -> str:
        shape = ' x '.join(map(str, self.features.shape))
        return f'features of {shape}, with the norm {float(self.features.norm()):.3g}'

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(features=self.features.numpy())

    def picture(self) -> np.ndarray:
        """Return the features as colours, one row per token, from the lowest (dark) to the highest (bright)."""
        rows = np.atleast_2d(self.features.numpy())
        low, high = rows.min(), rows.max()
        shades = np.rint((rows - low) / max(high - low, 1e-12) * 255).astype(np.uint8)
        shades = shades.repeat(max(1, 32 // len(rows)), axis=0)
        return np.asarray(cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS)[..., ::-1])


class FeatureExtractor(Inferencer):
    """Encode videos with a frozen backbone; for more than fit into memory, use tools/extract_features.py.

    ::

        extract = FeatureExtractor('mmsigma::knn/vitb_k400', 'sigma.pth')
        extract('my_video.mp4')                        # tensor (768,)
        extract('my_video.mp4', pooling='tokens')      # tensor (1568, 768)
        extract(['my_video.mp4', frames])              # list of tensors
        extract.extract('my_video.mp4').save('mine')  # mine/features.npy, mine/picture.png

    The ``test_dataloader`` of the config determines which frames are read and how. A config of pre-training without one
    reads a clip from the middle of the video, see :func:`mmsigma.apis.features.encoder_config`.
    """

    def __init__(self, config: str | Path, checkpoint: str | Path | None = None, **settings: Any) -> None:
        """Build the model; for the arguments, see :class:`Inferencer`."""
        super().__init__(config, checkpoint, **settings)
        self.pipeline = Pipeline(dataset_of(self.cfg, None)['pipeline'])

    def adapt(self, cfg: Config) -> Config:
        return encoder_config(cfg)

    @overload
    def __call__(self, video: VideoInput, pooling: Pooling = 'mean') -> Tensor: ...

    @overload
    def __call__(self, video: list[VideoInput], pooling: Pooling = 'mean') -> list[Tensor]: ...

    def __call__(self, video: VideoInput | list[VideoInput], pooling: Pooling = 'mean') -> Tensor | list[Tensor]:
        """Compute the features of a video, or of several, as plain tensors.

        Args:
            video: Video, or list of videos.
            pooling: ``'mean'`` over tokens and views, or ``'tokens'`` for all tokens of all views.

        Returns:
            Features on the CPU, ``(D,)`` for ``'mean'`` and ``(N, D)`` for ``'tokens'``; a list for a list.

        Raises:
            mmsigma.datasets.transforms.UnreadableVideoError: If a video cannot be read.
            ValueError: If ``pooling`` is unknown, or a video is invalid.
        """
        found = self.extract(video, pooling)
        return [one.features for one in found] if isinstance(found, list) else found.features

    @overload
    def extract(self, video: VideoInput, pooling: Pooling = 'mean') -> VideoFeatures: ...

    @overload
    def extract(self, video: list[VideoInput], pooling: Pooling = 'mean') -> list[VideoFeatures]: ...

    def extract(
        self, video: VideoInput | list[VideoInput], pooling: Pooling = 'mean'
    ) -> VideoFeatures | list[VideoFeatures]:
        """Compute the features of a video, or of several, as results that can be saved; see :meth:`__call__`."""
        videos = video if isinstance(video, list) else [video]
        found = []
        for samples in self.pipeline.batches(videos, _MAX_CLIPS):
            with self.autocast():
                features = features_of(self.model, pseudo_collate(samples), pooling).float().cpu()
            names = [sample['data_samples'].video_name for sample in samples]
            found += [VideoFeatures(*pair) for pair in zip(names, features, strict=True)]
        return found if isinstance(video, list) else found[0]
