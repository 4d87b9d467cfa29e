"""Inferencer that computes features of a single video."""

from pathlib import Path
from typing import Any

from mmengine.dataset import Compose, pseudo_collate
from torch import Tensor

from mmsigma.apis.features import Pooling, dataset_of, features_of
from mmsigma.apis.models import build_inference_model
from mmsigma.registry import TRANSFORMS
from mmsigma.utils.config import load_config


class FeatureExtractor:
    """Encode videos one at a time with a frozen backbone; for many videos, use tools/extract_features.py.

    ::

        extract = FeatureExtractor('configs/knn/vitb_k400.py', 'sigma.pth')
        extract('dog.mp4')                       # (768,)
        extract('dog.mp4', pooling='tokens')     # (1568, 768)

    Args:
        config: Config with a ``test_dataloader``, whose pipeline determines which frames are read and how.
        checkpoint: Weights, including official files.
        device: Device to run on; None for a GPU if there is one.
        options: Changes to the config, as of ``--cfg-options``.
        trust: Whether the checkpoint may execute code while it is loaded.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        mmsigma.checkpoints.files.CheckpointError: If the checkpoint does not match the model.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path,
        *,
        device: str | None = None,
        options: dict[str, Any] | None = None,
        trust: bool = False,
    ) -> None:
        cfg = load_config(config, options)
        self.model = build_inference_model(cfg, checkpoint, device, trust=trust)
        self.pipeline = Compose([TRANSFORMS.build(step) for step in dataset_of(cfg, None)['pipeline']])

    def __call__(self, video: str | Path, pooling: Pooling = 'mean') -> Tensor:
        """Compute the features of a video.

        Args:
            video: Video file.
            pooling: ``'mean'`` over tokens and views, or ``'tokens'`` for all tokens of all views.

        Returns:
            Features on the CPU, ``(D,)`` for ``'mean'`` and ``(N, D)`` for ``'tokens'``.

        Raises:
            mmsigma.datasets.transforms.UnreadableVideoError: If the video cannot be read.
            ValueError: If ``pooling`` is unknown.
        """
        sample = self.pipeline(dict(filename=str(video), label=-1, start_index=0, modality='RGB'))
        return features_of(self.model, pseudo_collate([sample]), pooling)[0].cpu()
