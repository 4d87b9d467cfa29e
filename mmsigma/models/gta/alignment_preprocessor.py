"""From frames of videos of any size to normalised batches (GTA, CVPR 2021)."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmsigma.registry import MODELS


def augment_frames(frames: Tensor, flip: bool, brightness: float, contrast: float) -> Tensor:
    """Frames (N, 3, H, W) in 0..1, flipped or not, brighter by ``brightness``, then with more contrast.

    Contrast is around the mean of each picture and colour, as in TensorFlow. Brightness after contrast comes to
    the same, so that it makes no difference that the release draws the order.
    """
    frames = frames.flip(-1) if flip else frames
    frames = frames + brightness
    mean = frames.mean(dim=(2, 3), keepdim=True)
    return (frames - mean) * contrast + mean


_PART = 64  # frames


@MODELS.register_module()
class AlignmentPreprocessor(BaseDataPreprocessor):
    """Resizes the frames of each video to a square, augments those of a video alike, and maps 0..255 to -1..1.

    Args:
        size: Side in pixels; bilinear, without regard to shape and without smoothing.
        flip: Probability of a flip, in training.
        brightness: Largest change, of 0..1.
        contrast: Range of the factor.
    """

    def __init__(
        self,
        size: int = 224,
        *,
        flip: float = 0.5,
        brightness: float = 32 / 255,
        contrast: tuple[float, float] = (0.5, 1.5),
    ) -> None:
        super().__init__()
        self.size, self.flip, self.brightness, self.contrast = size, flip, brightness, tuple(contrast)

    @torch.compiler.disable  # data samples are Python objects: nothing to compile
    def forward(self, data: dict, training: bool = False) -> dict:
        """Return ``inputs``, a list of (N_i, 3, size, size), and ``data_samples``, which stay on the CPU."""
        videos = [self._prepare(frames, training) for frames in self.cast_data(data['inputs'])]
        return {'inputs': videos, 'data_samples': data['data_samples']}

    def _prepare(self, frames: Tensor, training: bool) -> Tensor:
        # a whole video in floats, at its own size, would take gigabytes
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
