"""Data preprocessor for whole videos of different lengths, of which the model only sees windows."""

from typing import Any

import torch
from torch import Tensor

from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.registry import MODELS


@MODELS.register_module()
class RaggedVideoPreprocessor(VideoDataPreprocessor):
    """Moves a list of uint8 videos of any length to the device; :meth:`normalize` converts the windows cut out of them.

    A batch of whole videos takes gigabytes even as uint8, and the network only needs the windows as floats.

    Args:
        mean: Mean of each channel, on the scale 0..255.
        std: Standard deviation of each channel, on the scale 0..255.
        non_blocking: Whether to overlap the transfer to the device with computation, which works from pinned memory.
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Move a batch to the device.

        Args:
            data: Batch with the keys ``inputs``, a list of uint8 videos ``(C, T_i, H, W)``, and ``data_samples``.
            training: Ignored, as nothing is augmented.

        Returns:
            Dict of the same keys, on the device.

        Raises:
            ValueError: If a video has no frame or another number of channels than ``mean``.
        """
        data = self.cast_data(data)
        videos = list(data['inputs'])
        for video in videos:
            if video.ndim != 4 or video.shape[0] != len(self.mean) or not video.shape[1]:
                raise ValueError(f'videos must have the shape (C={len(self.mean)}, T, H, W), got {tuple(video.shape)}')
        return {'inputs': videos, 'data_samples': data.get('data_samples')}

    def normalize(self, windows: Tensor) -> Tensor:
        """Normalise windows ``(N, C, F, H, W)`` on the scale 0..255; the result is float32."""
        return windows.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)
