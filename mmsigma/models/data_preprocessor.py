"""From a list of uint8 clips to one normalised batch on the device."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor

from mmsigma.registry import MODELS

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class VideoDataPreprocessor(BaseDataPreprocessor):
    """Stacks clips and normalises them where the model lives: a quarter of the bytes travel to the device.

    Args:
        mean: Per-channel mean on the 0..255 scale.
        std: Per-channel standard deviation on the 0..255 scale.
        non_blocking: Overlap the transfer to the device with computation (needs pinned memory).
    """

    def __init__(
        self,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking)
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1, 1), persistent=False)

    @torch.compiler.disable  # data samples are Python objects: nothing to compile
    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise a batch.

        Args:
            data: ``inputs``, a list of uint8 clips (C, T, H, W) or one tensor (B, C, T, H, W), and ``data_samples``.
            training: Unused.

        Returns:
            The same keys; ``inputs`` is float32 (B, C, T, H, W).

        Raises:
            ValueError: If clips differ in shape or have another number of channels than ``mean``.
        """
        data = self.cast_data(data)
        clips = data['inputs']
        shapes = {tuple(clip.shape) for clip in clips}
        if len(shapes) != 1:
            raise ValueError(f'all clips of a batch must have one shape, got {sorted(shapes)}')
        (shape,) = shapes
        if len(shape) != 4 or shape[0] != len(self.mean):
            raise ValueError(f'clips must have the shape (C={len(self.mean)}, T, H, W), got {shape}')
        batch = clips if isinstance(clips, torch.Tensor) else torch.stack(clips)
        batch = batch.to(torch.float32, copy=True).sub_(self.mean).div_(self.std)
        return {'inputs': batch, 'data_samples': data.get('data_samples')}
