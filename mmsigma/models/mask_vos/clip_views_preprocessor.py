"""Data preprocessor that turns clips, and their second views, into one normalised batch on the device."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.ops.view_geometry import view_affine
from mmsigma.registry import MODELS


@MODELS.register_module()
class ClipViewsPreprocessor(BaseDataPreprocessor):
    """Stacks and normalises clips, and their second views if there are any; videos for testing pass unchanged.

    Args:
        mean: Mean of each channel, on the scale 0..255.
        std: Standard deviation of each channel, on the scale 0..255.
    """

    mean: Tensor  # (3, 1, 1)
    std: Tensor  # (3, 1, 1)

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__(non_blocking=True)
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    # data samples are Python objects, so there is nothing to compile
    @torch.compiler.disable  # type: ignore[untyped-decorator]  # PyTorch leaves it without annotations
    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Stack and normalise a batch.

        Args:
            data: Batch with the keys ``data_samples`` and ``inputs``: for clips a dict of ``images`` and, optionally,
                ``views``, each a list of uint8 clips ``(T, 3, H, W)``; anything else passes unchanged.
            training: Ignored.

        Returns:
            Dict of the same keys, with ``inputs`` as :class:`ClipViews`.
        """
        data = self.cast_data(data)
        inputs, samples = data['inputs'], data['data_samples']
        if not isinstance(inputs, dict):
            return data
        images = self._normalise(inputs['images'])
        if 'views' not in inputs:
            return {'inputs': ClipViews(images), 'data_samples': samples}
        if 'view_centre' not in samples[0].metainfo:  # crops without a map between them (DINO)
            return {'inputs': ClipViews(images, self._normalise(inputs['views'])), 'data_samples': samples}
        crops = [(*meta['view_centre'], meta['view_zoom'], meta['view_flip']) for meta in (s.metainfo for s in samples)]
        y, x, zoom, flip = torch.tensor(crops, dtype=torch.float32, device=images.device).unbind(dim=1)
        _, back = view_affine(torch.stack([y, x], dim=1), zoom, flip.bool(), images.shape[-1])
        return {'inputs': ClipViews(images, self._normalise(inputs['views']), back), 'data_samples': samples}

    def _normalise(self, clips: list[Tensor]) -> Tensor:
        return torch.stack(clips).float().sub_(self.mean).div_(self.std)
