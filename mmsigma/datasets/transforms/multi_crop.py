"""Multi-crop augmentation: large and small crops of a frame with independent colour changes (DINO, ICCV 2021)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torchvision.transforms import v2

from mmsigma.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MultiCrop(BaseTransform):
    """Crop a frame several times at random positions, areas and colours.

    Required keys: ``imgs``, of which the first is cropped. Modified keys: ``imgs``, the large crops. Added keys:
    ``views``, the small crops, if there are any.

    Args:
        num_large: Number of large crops.
        num_small: Number of small crops.
        sizes: Sides of the large and the small crops in pixels.
        large_scale: Range of the area of large crops relative to the frame.
        small_scale: Range of the area of small crops relative to the frame.

    Raises:
        ValueError: If there is no large crop, or only one crop in total.
    """

    def __init__(
        self,
        num_large: int = 2,
        num_small: int = 8,
        *,
        sizes: tuple[int, int] = (224, 96),
        large_scale: Sequence[float] = (0.4, 1.0),
        small_scale: Sequence[float] = (0.05, 0.4),
    ) -> None:
        if num_large < 1 or num_small < 0 or num_large + num_small < 2:
            raise ValueError(
                f'at least one large and two crops in total are required, got {num_large} large and {num_small} small'
            )
        self.num_small = num_small
        chances = [(1.0, 0.0)] + [(0.1, 0.2)] * (num_large - 1)
        self.large = [_augment(sizes[0], large_scale, *pair) for pair in chances]
        self.small = _augment(sizes[1], small_scale, 0.5, 0.0)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        frame = torch.from_numpy(np.ascontiguousarray(results['imgs'][0])).movedim(-1, 0)
        # torchvision draws from torch's global generator: seed it from numpy's, which is seeded per sample
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(np.random.randint(2**31)))
            results['imgs'] = [_to_array(augment(frame)) for augment in self.large]
            if self.num_small:
                results['views'] = [_to_array(self.small(frame)) for _ in range(self.num_small)]
        return results


def _augment(size: int, scale: Sequence[float], blur: float, solarize: float) -> v2.Compose:
    """Return the augmentation of one crop; ``blur`` and ``solarize`` are probabilities."""
    return v2.Compose(
        [
            v2.RandomResizedCrop(size, tuple(scale), interpolation=v2.InterpolationMode.BICUBIC, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
            v2.RandomGrayscale(p=0.2),
            v2.RandomApply([v2.GaussianBlur(_odd(size / 10), (0.1, 2.0))], p=blur),
            v2.RandomSolarize(128, p=solarize),
        ]
    )


def _odd(length: float) -> int:
    """Return an odd kernel size near ``length``, at least 3."""
    return max(int(length) // 2 * 2 + 1, 3)


def _to_array(crop: torch.Tensor) -> np.ndarray:
    return crop.movedim(0, -1).numpy()
