"""Base of the models that propagate labels through a video with the features of a frozen encoder."""

from typing import Any, Literal

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.backbones import encode_frames
from mmsigma.models.interfaces import FrameEncoder, Propagator
from mmsigma.models.parts import build_part
from mmsigma.models.propagation.frame_geometry import FrameGeometry

EncoderPrecision = Literal['float32', 'bfloat16', 'float16']
_DTYPES: dict[EncoderPrecision, torch.dtype] = {
    'float32': torch.float32,
    'bfloat16': torch.bfloat16,
    'float16': torch.float16,
}


class FramePropagation(BaseModel):
    """Base of the models that propagate masks or key points; subclasses implement :meth:`predict_video`.

    Args:
        backbone: Config of a frame encoder, or of a video transformer with ``dynamic_size=True``.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`.
        propagator: Config of the propagator, of the type ``'ContextPropagator'`` (the default) or
            ``'MASTPropagator'``.
        precision: Precision of encoder and memory, ``'float32'``, ``'bfloat16'`` or ``'float16'``; weights and labels
            are float32 in any case.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
        ValueError: If ``precision`` is unknown.
    """

    backbone: FrameEncoder

    def __init__(
        self,
        backbone: dict[str, Any],
        geometry: dict[str, Any] | None = None,
        propagator: dict[str, Any] | None = None,
        *,
        precision: EncoderPrecision = 'float32',
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if precision not in _DTYPES:
            raise ValueError(f'precision must be one of {sorted(_DTYPES)}, got {precision!r}')
        self.backbone = build_part(backbone, FrameEncoder, 'model.backbone')
        self.geometry = FrameGeometry(self.backbone.stride, **(geometry or {}))
        self.propagator, self.dtype = {'type': 'ContextPropagator', **(propagator or {})}, _DTYPES[precision]
        self.new_propagator()  # so that wrong settings are reported here, not in the first video

    def forward(self, inputs: Any, data_samples: list[Any] | None = None, mode: str = 'tensor') -> Tensor | list[Any]:
        """Run the model.

        Args:
            inputs: Prepared images ``(B, 3, H, W)``; for ``mode='predict'``, videos for :meth:`predict_video`.
            data_samples: Data samples, one per video; ignored for ``mode='tensor'``.
            mode: ``'tensor'`` or ``'predict'``.

        Returns:
            For ``'tensor'``, maps ``(B, C, h, w)``; for ``'predict'``, ``data_samples`` with their predictions.

        Raises:
            ValueError: If the mode is unknown.
        """
        if mode == 'tensor':
            return encode_frames(self.backbone, inputs)
        if mode == 'predict':
            if data_samples is None:
                raise ValueError("mode='predict' needs data_samples")
            for sequence, sample in zip(inputs, data_samples, strict=True):
                self.predict_video(sequence, sample)
            return data_samples
        raise ValueError(f"mode must be 'predict' or 'tensor', got {mode!r}")

    def predict_video(self, sequence: Any, sample: Any) -> None:
        """Predict one video and set the fields of its data sample.

        Args:
            sequence: Video, of the kind that the subclass propagates.
            sample: Data sample of the video.
        """
        raise NotImplementedError

    def new_propagator(self) -> Propagator:
        """Build a propagator for one video."""
        return build_part(self.propagator, Propagator, 'model.propagator')

    @torch.no_grad()
    def encode(self, image: Tensor) -> Tensor:
        """Encode a prepared image ``(1, 3, H, W)`` as features ``(h, w, C)``."""
        with torch.autocast(image.device.type, self.dtype, enabled=self.dtype != torch.float32):
            maps = encode_frames(self.backbone, image)
        return maps[0].movedim(0, -1).contiguous().to(self.dtype)
