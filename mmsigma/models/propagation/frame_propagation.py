"""What is known of the first frame of a video, carried through it by the features of a frozen encoder."""

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.backbones import encode_frames
from mmsigma.models.interfaces import FrameEncoder, Propagator, build_part
from mmsigma.models.propagation.frame_geometry import FrameGeometry

_DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


class FramePropagation(BaseModel):
    """Base of the models that propagate masks and key-points; these say what labels are, in :meth:`predict_video`.

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`.
        propagator: Config of what carries the labels, with the type ``'ContextPropagator'``, the default, or
            ``'MASTPropagator'``.
        precision: Of the encoder and of the memory: ``'float32'``, ``'bfloat16'`` or ``'float16'``; weights and labels
            are float32 in any case.
        init_cfg: mmengine's initialisation config.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
        ValueError: If the precision is unknown.
    """

    backbone: FrameEncoder

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
        self.backbone = build_part(backbone, FrameEncoder, 'model.backbone')
        self.geometry = FrameGeometry(self.backbone.stride, **(geometry or {}))
        self.propagator, self.dtype = {'type': 'ContextPropagator', **(propagator or {})}, _DTYPES[precision]
        self.new_propagator()  # wrong settings are found here, not in the first video

    def forward(self, inputs: Tensor | list, data_samples: list | None = None, mode: str = 'tensor') -> Tensor | list:
        """Run the model.

        Args:
            inputs: Prepared images (B, 3, H, W); for ``mode='predict'`` videos, as :meth:`predict_video` wants them.
            data_samples: One per video.
            mode: ``'tensor'`` for maps (B, C, h, w), or ``'predict'`` for ``data_samples`` with their predictions.
        """
        if mode == 'tensor':
            return encode_frames(self.backbone, inputs)
        if mode == 'predict':
            for sequence, sample in zip(inputs, data_samples, strict=True):
                self.predict_video(sequence, sample)
            return data_samples
        raise ValueError(f"mode must be 'predict' or 'tensor', got {mode!r}")

    def predict_video(self, sequence: Any, sample: Any) -> None:
        """Set the fields of the sample that are predicted."""
        raise NotImplementedError

    def new_propagator(self) -> Propagator:
        """Carries the labels of one video."""
        return build_part(self.propagator, Propagator, 'model.propagator')

    @torch.no_grad()
    def encode(self, image: Tensor) -> Tensor:
        """Features (h, w, C) of a prepared image (1, 3, H, W)."""
        with torch.autocast(image.device.type, self.dtype, enabled=self.dtype != torch.float32):
            maps = encode_frames(self.backbone, image)
        return maps[0].movedim(0, -1).contiguous().to(self.dtype)
