"""Videos, or maps of their frames, that are read once and stay in memory."""

from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from rich.progress import track
from torch import Tensor

from mmsigma.datasets.transforms.decoding import ReadClip
from mmsigma.io.video import read_frames
from mmsigma.registry import MODELS, TRANSFORMS

_KEPT: dict[str, np.ndarray] = {}


def frames_of(filename: str) -> np.ndarray:
    """All frames of a video (L, H, W, 3), or what is kept in their place (L, ...)."""
    if filename not in _KEPT:
        _KEPT[filename] = read_frames(filename)
    return _KEPT[filename]


@TRANSFORMS.register_module()
class ReadKept(ReadClip):
    """As ReadClip, of a video in memory."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        kept = frames_of(results['filename'])
        results = self._sampled(results, len(kept))
        images = list(kept[results['frame_inds'].ravel()])
        return {**results, 'imgs': images, 'img_shape': images[0].shape[:2], 'original_shape': images[0].shape[:2]}


@MODELS.register_module()
class KeptMaps(BaseModule):
    """Frame encoder whose input are the maps already."""

    def __init__(self, embed_dims: int, stride: int) -> None:
        super().__init__()
        self.embed_dims, self.stride = embed_dims, stride

    def forward(self, maps: Tensor) -> Tensor:
        return maps


def datasets_of(cfg: Config) -> list[Any]:
    """Configs of the datasets of a GTA run."""
    return [cfg.train_dataloader.dataset, *cfg.test_dataloader.dataset.datasets]


def read_once(cfg: Config) -> None:
    """Change a GTA config to read videos once, in this process."""
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
    for dataset in datasets_of(cfg):
        dataset.pipeline[0].type = 'ReadKept'


@torch.inference_mode()
def encode_once(cfg: Config, filenames: list[str]) -> None:
    """Change a GTA config with a frozen encoder to encode every frame once: training and test are the same but for the
    augmentations, which it leaves out."""
    assert cfg.model.train_mode == 'frozen'
    encoder = MODELS.build(cfg.model.backbone).eval()
    prepare = MODELS.build(cfg.model.data_preprocessor)
    if new := [name for name in filenames if name not in _KEPT]:
        for name in track(new, 'encoding'):
            parts = []
            for part in torch.from_numpy(read_frames(name)).movedim(-1, 1).split(32):
                (frames,) = prepare(dict(inputs=[part], data_samples=None))['inputs']
                parts.append(encoder(frames).movedim(1, -1))
            _KEPT[name] = torch.cat(parts).numpy()
    cfg.model.backbone = dict(type='KeptMaps', embed_dims=encoder.embed_dims, stride=encoder.stride)
    cfg.model.data_preprocessor = dict(type='mmengine.BaseDataPreprocessor')
    read_once(cfg)
