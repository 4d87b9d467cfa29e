"""From pairs of clips to one normalised batch on the device."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseDataPreprocessor

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.data_preprocessor import IMAGENET_MEAN, IMAGENET_STD
from mmsigma.ops.view_geometry import view_affine
from mmsigma.registry import MODELS


@MODELS.register_module()
class ClipViewsPreprocessor(BaseDataPreprocessor):
    """Stacks and normalises clips, and their other views if there are any; videos, for testing, pass as they are.

    Args:
        mean: Per-channel mean on the 0..255 scale.
        std: Per-channel standard deviation on the 0..255 scale.
    """

    def __init__(self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD) -> None:
        super().__init__()
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)

    @torch.compiler.disable  # data samples are Python objects: nothing to compile
    def forward(self, data: dict, training: bool = False) -> dict:
        """Return ``inputs``, :class:`ClipViews` for clips, and ``data_samples``."""
        data = self.cast_data(data)
        inputs, samples = data['inputs'], data['data_samples']
        if not isinstance(inputs, dict):
            return data
        images = self._normalise(inputs['images'])
        if 'views' not in inputs:
            return {'inputs': ClipViews(images), 'data_samples': samples}
        if 'view_centre' not in samples[0].metainfo:  # crops that are not mapped onto each other
            return {'inputs': ClipViews(images, self._normalise(inputs['views'])), 'data_samples': samples}
        centre, zoom, flip = (
            torch.tensor([sample.metainfo[key] for sample in samples], device=images.device)
            for key in ('view_centre', 'view_zoom', 'view_flip')
        )
        _, back = view_affine(centre.float(), zoom.float(), flip, images.shape[-1])
        return {'inputs': ClipViews(images, self._normalise(inputs['views']), back), 'data_samples': samples}

    def _normalise(self, clips: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack(clips).float().sub_(self.mean).div_(self.std)
