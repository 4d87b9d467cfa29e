"""Data preprocessor of GTA (CVPR 2021), which resizes, augments and normalises the frames of videos."""

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmsigma.registry import MODELS


def augment_frames(frames: Tensor, flip: bool, brightness: float, contrast: float) -> Tensor:
    """Flip frames, shift their brightness, then scale their contrast.

    Contrast is scaled around the mean of each picture and channel, as in TensorFlow, so that a shift of brightness may
    as well come after it. The release draws the order of the two, which therefore makes no difference.

    Args:
        frames: Frames ``(N, 3, H, W)`` in 0..1.
        flip: Whether to flip them horizontally.
        brightness: Value to add.
        contrast: Factor of the deviation from the mean.

    Returns:
        Frames ``(N, 3, H, W)``, not clamped.
    """
    frames = frames.flip(-1) if flip else frames
    frames = frames + brightness
    mean = frames.mean(dim=(2, 3), keepdim=True)
    return (frames - mean) * contrast + mean


_PART = 64  # number of frames that are resized at once


@MODELS.register_module()
class AlignmentPreprocessor(BaseDataPreprocessor):
    """Resizes frames to a square, augments all frames of a video alike, and maps 0..255 to -1..1.

    Args:
        size: Side of the resized frames in pixels. Resizing is bilinear, without antialiasing, and ignores the aspect
            ratio.
        flip: Probability of a horizontal flip in training.
        brightness: Largest shift of the brightness in training, on the scale 0..1.
        contrast: Range of the factor of the contrast in training.
    """

    def __init__(
        self,
        size: int = 224,
        *,
        flip: float = 0.5,
        brightness: float = 32 / 255,
        contrast: tuple[float, float] = (0.5, 1.5),
    ) -> None:
        super().__init__(non_blocking=True)
        self.size, self.flip, self.brightness, self.contrast = size, flip, brightness, tuple(contrast)

    # data samples are Python objects, so there is nothing to compile
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Resize, augment and normalise a batch.

        Args:
            data: Batch with the keys ``inputs``, the uint8 frames ``(N_i, 3, H_i, W_i)`` of each video, and
                ``data_samples``.
            training: Whether to augment.

        Returns:
            Dict of the same keys, with ``inputs`` as a list of float32 frames ``(N_i, 3, size, size)``. Data samples
            stay on the CPU.
        """
        videos = [self._prepare(frames, training) for frames in self.cast_data(data['inputs'])]
        return {'inputs': videos, 'data_samples': data['data_samples']}

    def _prepare(self, frames: Tensor, training: bool) -> Tensor:
        # in parts, because a whole video in floats at its own size would take gigabytes
        frames = torch.cat([self._resized(part) for part in frames.split(_PART)])
        if training:
            flip, change, factor = torch.rand(3).tolist()
            low, high = self.contrast
            frames = augment_frames(
                frames, flip < self.flip, (2 * change - 1) * self.brightness, low + factor * (high - low)
            )
        return frames.clamp_(0, 1).sub_(0.5).div_(0.5)

    def _resized(self, frames: Tensor) -> Tensor:
        frames = frames.float() / 255
        if frames.shape[-2:] == (self.size, self.size):
            return frames
        return F.interpolate(frames, size=(self.size, self.size), mode='bilinear', align_corners=False)
