"""Video object segmentation by the similarity of features, for any encoder."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.backbones import encode_frames
from mmsigma.models.frame_geometry import FrameGeometry
from mmsigma.models.propagator import LabelPropagator
from mmsigma.models.video_segmenter import VideoSegmenter
from mmsigma.registry import MODELS

_DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


@MODELS.register_module()
class LabelPropagation(BaseModel):
    """Segments videos from the first mask of each object with the features of a frozen encoder (CRW, DUL, DINO).

    ::

        features = backbone(prepared frame)                                (h, w, C)
        labels   = top-k affinity to first and previous frames x labels    (h, w, V)
        ids      = argmax of the labels at the frame's own size            (H, W)

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.frame_geometry.FrameGeometry`.
        propagator: Arguments of :class:`mmsigma.models.propagator.LabelPropagator`.
        precision: Of the encoder and of the memory: ``'float32'``, ``'bfloat16'`` or ``'float16'``; weights and labels
            are float32 in any case.
        init_cfg: mmengine's initialisation config.

    Raises:
        ValueError: If the precision is unknown.
    """

    def __init__(
        self,
        backbone: dict,
        geometry: dict | None = None,
        propagator: dict | None = None,
        *,
        precision: str = 'float32',
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if precision not in _DTYPES:
            raise ValueError(f'precision must be one of {sorted(_DTYPES)}, got {precision!r}')
        self.backbone = MODELS.build(backbone)
        self.geometry = FrameGeometry(self.backbone.stride, **(geometry or {}))
        self.propagator, self.dtype = dict(propagator or {}), _DTYPES[precision]
        self.new_segmenter()  # wrong settings are found here, not in the first video

    def forward(self, inputs: Tensor | list, data_samples: list | None = None, mode: str = 'tensor') -> Tensor | list:
        """Run the model.

        Args:
            inputs: Prepared images (B, 3, H, W); for ``mode='predict'`` videos, each with ``frames``, ``given``,
                ``read_frame`` and ``read_mask`` (see :class:`mmsigma.datasets.sequences.FrameSequence`).
            data_samples: One per video.
            mode: ``'tensor'`` for maps (B, C, h, w), or ``'predict'`` for ``data_samples`` with their ``pred_masks``,
                uint8 (T, H, W).
        """
        if mode == 'tensor':
            return encode_frames(self.backbone, inputs)
        if mode == 'predict':
            for sequence, sample in zip(inputs, data_samples, strict=True):
                sample.set_field(np.stack(list(self.segment(sequence))), 'pred_masks')
            return data_samples
        raise ValueError(f"mode must be 'predict' or 'tensor', got {mode!r}")

    def segment(self, sequence: Any) -> Iterator[np.ndarray]:
        """Ids (H, W), uint8, of one frame of a video after the other."""
        segmenter = self.new_segmenter()
        for number in range(len(sequence.frames)):
            mask = sequence.read_mask(number) if number in sequence.given else None
            yield segmenter.step(sequence.read_frame(number), mask)

    def new_segmenter(self) -> VideoSegmenter:
        """A segmenter for one video."""
        return VideoSegmenter(self.encode, self.geometry, LabelPropagator(**self.propagator))

    @torch.no_grad()
    def encode(self, image: Tensor) -> Tensor:
        """Features (h, w, C) of a prepared image (1, 3, H, W)."""
        with torch.autocast(image.device.type, self.dtype, enabled=self.dtype != torch.float32):
            maps = encode_frames(self.backbone, image)
        return maps[0].movedim(0, -1).contiguous().to(self.dtype)
