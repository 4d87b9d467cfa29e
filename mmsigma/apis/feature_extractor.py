"""Features of a user's own video."""

from pathlib import Path
from typing import Any

from mmengine.dataset import Compose, pseudo_collate
from torch import Tensor

from mmsigma.apis.features import dataset_of, features_of
from mmsigma.apis.models import build_inference_model
from mmsigma.registry import TRANSFORMS
from mmsigma.utils.config import load_config


class FeatureExtractor:
    """Encodes one video after the other with a frozen backbone. For many videos there is tools/extract_features.py.

    ::

        extract = FeatureExtractor('configs/knn/vitb_k400.py', 'sigma.pth')
        extract('dog.mp4')                       # (768,)
        extract('dog.mp4', pooling='tokens')     # (1568, 768)

    Args:
        config: A config with a ``test_dataloader``, whose pipeline says which frames are read and how.
        checkpoint: Weights, official files included.
        device: Where to run; a GPU if there is one.
        options: Changes of the config, as of ``--cfg-options``.
        trust: Allow the checkpoint to execute code on loading.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        mmsigma.checkpoints.io.CheckpointError: If the checkpoint does not fit.
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

    def __call__(self, video: str | Path, pooling: str = 'mean') -> Tensor:
        """Features of a video, on the CPU: (D,) for ``pooling='mean'``, (N, D) for ``'tokens'``, of all views.

        Raises:
            mmsigma.datasets.transforms.UnreadableVideoError: If the video cannot be read.
            ValueError: If there is no such pooling.
        """
        sample = self.pipeline(dict(filename=str(video), label=-1, start_index=0, modality='RGB'))
        return features_of(self.model, pseudo_collate([sample]), pooling)[0].cpu()
