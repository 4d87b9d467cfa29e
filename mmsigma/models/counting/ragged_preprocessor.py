"""Videos of different lengths, of which only parts will be looked at."""

import torch
from torch import Tensor

from mmsigma.models.data_preprocessor import VideoDataPreprocessor
from mmsigma.registry import MODELS


@MODELS.register_module()
class RaggedVideoPreprocessor(VideoDataPreprocessor):
    """Moves videos to the device as they are: uint8, a list of any lengths; :meth:`normalize` is for what is cut out.

    A batch of whole videos takes gigabytes even as bytes; a network that sees windows of them needs no more as floats.

    Args:
        mean: Per-channel mean on the 0..255 scale.
        std: Per-channel standard deviation on the 0..255 scale.
        non_blocking: Overlap the transfer to the device with computation (needs pinned memory).
    """

    @torch.compiler.disable
    def forward(self, data: dict, training: bool = False) -> dict:
        """Move a batch to the device.

        Args:
            data: ``inputs``, uint8 videos (C, T_i, H, W), and ``data_samples``.
            training: Unused.

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
        """Windows (N, C, F, H, W) on the 0..255 scale, normalised, float32."""
        return windows.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)
