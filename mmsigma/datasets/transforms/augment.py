"""Augmentation for fine-tuning, equal for all frames of a clip (VideoMAE; SIGMA)."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from mmcv.transforms import BaseTransform, Compose
from PIL import Image
from timm.data.auto_augment import rand_augment_transform

from mmsigma.datasets.transforms.spatial import crop_and_resize, distinct_frames
from mmsigma.registry import TRANSFORMS
from mmsigma.utils.seeding import seeded_numpy

Interpolation = Literal['bicubic', 'bilinear', 'nearest']
_RESAMPLING: dict[Interpolation, Image.Resampling] = {
    'bicubic': Image.Resampling.BICUBIC,
    'bilinear': Image.Resampling.BILINEAR,
    'nearest': Image.Resampling.NEAREST,
}


@TRANSFORMS.register_module()
class RandAugmentClip(BaseTransform):
    """Apply timm's RandAugment with the same operations and magnitudes to all frames.

    Required keys: ``imgs``. Modified keys: ``imgs``.

    Args:
        policy: Policy in timm's notation (released scripts: magnitude 7, 4 operations; paper:
            ``rand-m9-mstd0.5-inc1``).
        size: Side of the network's input in pixels; translations reach 45 % of it.
        interpolation: Interpolation of the operations that move pixels: ``'bicubic'`` as in the releases of VideoMAE
            and SIGMA (their ``train_interpolation``), ``'bilinear'`` or ``'nearest'``.

    Raises:
        ValueError: If ``interpolation`` is none of these.
    """

    def __init__(
        self, policy: str = 'rand-m7-n4-mstd0.5-inc1', size: int = 224, interpolation: Interpolation = 'bicubic'
    ) -> None:
        if interpolation not in _RESAMPLING:
            raise ValueError(f'interpolation must be one of {sorted(_RESAMPLING)}, got {interpolation!r}')
        self.policy, self.size, self.interpolation = policy, size, interpolation
        settings = dict(translate_const=int(size * 0.45), interpolation=_RESAMPLING[interpolation])
        self.augment = rand_augment_transform(policy, settings)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        seed = (int(np.random.randint(2**31)),)
        distinct, order = distinct_frames(results['imgs'])
        frames = []
        for frame in distinct:
            with seeded_numpy(seed):
                frames.append(np.asarray(self.augment(Image.fromarray(frame))))
        results['imgs'] = [frames[place] for place in order]
        return results

    def __repr__(self) -> str:
        return f'RandAugmentClip(policy={self.policy!r}, size={self.size}, interpolation={self.interpolation!r})'


@TRANSFORMS.register_module()
class RandomResizedCropClip(BaseTransform):
    """Crop a random area with a random aspect ratio, and resize it bilinearly to a square, without antialiasing.

    Area and aspect ratio are drawn up to ten times until the crop fits. If none fits, the crop is the largest central
    one with an allowed aspect ratio.

    Required keys: ``imgs``. Modified keys: ``imgs``, ``img_shape``. Added keys: ``crop_box`` (x, y, width, height).

    Args:
        size: Side of the output in pixels.
        scale: Range of the crop's area relative to the frame.
        ratio: Range of the crop's aspect ratio, width / height.
    """

    def __init__(
        self, size: int = 224, scale: Sequence[float] = (0.25, 1.0), ratio: Sequence[float] = (3 / 4, 4 / 3)
    ) -> None:
        self.size = size
        self.scale, self.ratio = (scale[0], scale[1]), (ratio[0], ratio[1])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        height, width = results['imgs'][0].shape[:2]
        results['crop_box'] = self.draw_box(width, height)
        results['imgs'] = crop_and_resize(results['imgs'], results['crop_box'], self.size, antialias=False)
        results['img_shape'] = (self.size, self.size)
        return results

    def draw_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Draw a crop (x, y, width, height) of a frame, in pixels."""
        for _ in range(10):
            area = width * height * np.random.uniform(*self.scale)
            aspect = math.exp(np.random.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                return int(np.random.randint(width - w + 1)), int(np.random.randint(height - h + 1)), w, h
        w, h = width, height
        if width / height < self.ratio[0]:
            h = round(width / self.ratio[0])
        elif width / height > self.ratio[1]:
            w = round(height * self.ratio[1])
        return (width - w) // 2, (height - h) // 2, w, h

    def __repr__(self) -> str:
        return f'RandomResizedCropClip(size={self.size}, scale={self.scale}, ratio={self.ratio})'


@TRANSFORMS.register_module()
class FlipClip(BaseTransform):
    """Flip all frames of a clip horizontally. Do not use it where left and right are part of the label.

    Required keys: ``imgs``. Modified keys: ``imgs``. Added keys: ``flip``, whether it was done.

    Args:
        prob: Probability of the flip.
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        results['flip'] = bool(np.random.rand() < self.prob)
        if results['flip']:
            results['imgs'] = [frame[:, ::-1] for frame in results['imgs']]
        return results

    def __repr__(self) -> str:
        return f'FlipClip(prob={self.prob})'


@TRANSFORMS.register_module()
class RepeatAugment(BaseTransform):
    """Augment a decoded clip several times: one read, several samples (repeated augmentation).

    It must be the last step, and the dataloader must use ``collate_fn=dict(type='flatten_collate')``. The batch becomes
    ``num_repeats`` times as large as the dataloader's ``batch_size``.

    Args:
        transforms: Configs of the steps to repeat, including packing.
        num_repeats: Number of samples per clip.
    """

    def __init__(self, transforms: Sequence[dict[str, Any] | Callable[..., Any]], num_repeats: int = 2) -> None:
        self.num_repeats = num_repeats
        self.steps = Compose([TRANSFORMS.build(step) if isinstance(step, dict) else step for step in transforms])

    def transform(self, results: dict[str, Any]) -> list[dict[str, Any]]:
        return [self.steps({**results, 'imgs': list(results['imgs'])}) for _ in range(self.num_repeats)]

    def __repr__(self) -> str:
        return f'RepeatAugment(num_repeats={self.num_repeats}, transforms={self.steps.transforms})'
