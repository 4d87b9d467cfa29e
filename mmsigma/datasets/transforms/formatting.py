"""Packing of results into model inputs and data samples, the last step of a pipeline."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from mmsigma.registry import TRANSFORMS


class PinnedElement(BaseDataElement):
    """Data sample whose tensors a loader with ``pin_memory`` pins, so that a GPU need not wait for their transfer."""

    def pin_memory(self) -> 'PinnedElement':
        for name, value in list(self.items()):
            if isinstance(value, torch.Tensor):
                self.set_field(value.pin_memory(), name)
        return self


class VideoSample(PinnedElement, ActionDataSample):
    """mmaction2's data sample of a video that can be pinned."""


@TRANSFORMS.register_module()
class PackVideoInputs(BaseTransform):
    """Pack a video for the model: ``inputs``, uint8 ``(C, T, H, W)``, and ``data_samples`` with everything else.

    Several views of a video, as from :class:`CropViews`, become ``(V, C, T, H, W)``.

    The sample has ``gt_label`` if the video has a label (multi-hot for several), and the metadata ``meta_keys``. If a
    mask was drawn, it has ``mask``, and the indices of its tokens, ``visible`` and ``masked``: shapes that depend on
    values cost a GPU time. Features that were loaded with the clip are ``target_maps``; they have to be of its crop.

    Args:
        meta_keys: Keys of the results that become metadata if present.
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'filename',
            'frame_inds',
            'avg_fps',
            'crop_box',
            'original_shape',
            'mask_grid',
            'failures',
        ),
    ) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        clip = torch.from_numpy(np.stack(results['imgs']) if isinstance(results['imgs'], list) else results['imgs'])
        sample = VideoSample()
        label = results.get('label')
        if label is not None and not (isinstance(label, int) and label == -1):
            sample.set_gt_label(label)
        if 'mask' in results:
            mask = results['mask']
            for name, value in dict(mask=mask, visible=np.flatnonzero(~mask), masked=np.flatnonzero(mask)).items():
                sample.set_field(torch.from_numpy(value), name)
        if 'target_maps' in results:
            if 'flip' in results or results.get('crop_box') != results['target_box']:
                raise ValueError(
                    'target_maps are of other pictures than the clip: put LoadTargetMaps after the crop, and leave out '
                    'FlipClip'
                )
            sample.set_field(torch.from_numpy(results['target_maps']), 'target_maps')
        sample.set_metainfo({key: results[key] for key in self.meta_keys if key in results})
        return {'inputs': clip.movedim(-1, -4).contiguous(), 'data_samples': sample}
