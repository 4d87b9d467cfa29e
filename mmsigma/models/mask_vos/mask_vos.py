"""Mask-VOS: mask embedding and correspondence, learnt together from unlabelled video (CVPR 2023)."""

from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.interfaces import Correspondence, MaskEncoder, ObjectDecoder, VisualEncoder, build_part, require
from mmsigma.models.mask_vos.mask_propagator import MaskPropagator
from mmsigma.models.mask_vos.mask_reader import MaskReader, segmentation_loss
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.models.propagation.inference_core import InferenceCore
from mmsigma.models.propagation.label_propagation import predict_masks
from mmsigma.registry import MODELS


@MODELS.register_module()
class MaskVOS(BaseModel):
    """Learns keys that match, and to segment with them the clusters that they form.

    ::

        frames  = backbone.encode(images)                                 keys, features, skips
        losses  = correspondence.loss(keys, ...)                          from the first epoch on
        losses += segmentation_loss(reader, images, frames, pseudo masks) where there are pseudo masks

    Without ``mask_encoder`` and ``decoder`` it is the correspondence stage alone. A clip whose video has no pseudo mask
    takes no part in the segmentation loss.

    Args:
        backbone: Config of the visual encoder E. Trained, it also is a backbone for :class:`LabelPropagation`.
        correspondence: Config of the scheme; None trains the segmentation alone.
        mask_encoder: Config of the frame-mask encoder V.
        decoder: Config of the mask decoder D.
        data_preprocessor: Config of the preprocessor.
        segmentation: Arguments of :func:`mmsigma.models.mask_vos.mask_reader.segmentation_loss`, and its ``weight``.
        memory: Arguments of :class:`mmsigma.models.mask_vos.mask_propagator.MaskPropagator`, for testing.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`, for testing.
        init_cfg: mmengine's initialisation config.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`, or the visual encoder
            not the one that the scheme of correspondence asks for.
        ValueError: If there is a mask encoder or a decoder but not both.
    """

    backbone: VisualEncoder
    correspondence: Correspondence | None
    reader: MaskReader | None

    def __init__(
        self,
        backbone: dict,
        correspondence: dict | None = None,
        mask_encoder: dict | None = None,
        decoder: dict | None = None,
        data_preprocessor: dict | None = None,
        *,
        segmentation: dict | None = None,
        memory: dict | None = None,
        geometry: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(MODELS.build(data_preprocessor or dict(type='ClipViewsPreprocessor')), init_cfg)
        if (mask_encoder is None) != (decoder is None):
            raise ValueError('mask_encoder and decoder go together: give both, or none for the correspondence stage')
        self.backbone = build_part(backbone, VisualEncoder, 'model.backbone')
        self.correspondence = self.reader = None
        if correspondence:
            self.correspondence = build_part(correspondence, Correspondence, 'model.correspondence')
            require(self.backbone, self.correspondence.encoder_interface, 'model.backbone')
        if mask_encoder and decoder:
            self.reader = MaskReader(
                build_part(mask_encoder, MaskEncoder, 'model.mask_encoder'),
                build_part(decoder, ObjectDecoder, 'model.decoder'),
            )
        segmentation = dict(segmentation or {})
        self.weight, self.segmentation = segmentation.pop('weight', 1.0), segmentation
        self.memory = dict(memory or {})
        self.geometry = FrameGeometry(self.backbone.stride, **{'to_cells': 'corners', **(geometry or {})})

    def forward(
        self, inputs: Any, data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list | Tensor:
        """Run the model.

        Args:
            inputs: :class:`ClipViews` for ``'loss'``; images (B, 3, H, W) for ``'tensor'``; for ``'predict'`` videos,
                as :class:`mmsigma.datasets.vos.sequences.VOSSequence`.
            data_samples: One per clip, with ``pseudo_mask`` (T, H, W), empty where there is none; or one per video.
            mode: ``'loss'``; ``'tensor'`` for keys (B, D, h, w); or ``'predict'`` for ``data_samples`` with their
                ``pred_masks``.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'tensor':
            return self.backbone(inputs)
        if mode == 'predict':
            for sequence, sample in zip(inputs, data_samples, strict=True):
                predict_masks(self.new_inference_core(), sequence, sample)
            return data_samples
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, clip: ClipViews, data_samples: list) -> dict[str, Tensor]:
        """Losses of clips."""
        labelled = [index for index, sample in enumerate(data_samples) if sample.pseudo_mask.numel()]
        segments, scheme = self.reader is not None, self.correspondence
        uses_keys = scheme is not None and scheme.uses_keys
        frames = []
        if uses_keys or (segments and labelled):
            frames = [self.backbone.encode(images) for images in clip.images.unbind(1)]
        losses = {}
        if scheme is not None:
            keys = torch.stack([frame.key for frame in frames], dim=1) if uses_keys else None
            losses |= scheme.loss(keys, clip, self.backbone)
        if segments:
            losses['loss_segmentation'] = self.weight * self._segmentation(clip.images, frames, data_samples, labelled)
            losses['labelled_clips'] = clip.images.new_tensor(len(labelled) / len(data_samples))
        return losses

    def _segmentation(self, images: Tensor, frames: list, data_samples: list, labelled: list[int]) -> Tensor:
        if not labelled:
            if self.correspondence is not None:  # no gradient, not one of zeros, which weight decay would act upon
                return images.new_zeros(())
            return 0.0 * sum(parameter.sum() for parameter in self.reader.parameters())
        labels = torch.stack([data_samples[index].pseudo_mask for index in labelled]).to(images.device)
        chosen = [type(frame)(*(maps[labelled] for maps in frame)) for frame in frames]
        return segmentation_loss(self.reader, images[labelled], chosen, labels.long(), **self.segmentation)

    def new_inference_core(self) -> InferenceCore:
        """An inference core for one video.

        Raises:
            ValueError: If the model has no decoder: keys alone segment by label propagation, see ``configs/vos``.
        """
        if self.reader is None:
            raise ValueError('the model has no decoder: test its encoder as the backbone of LabelPropagation')
        memory = MaskPropagator(self.backbone, self.reader, **self.memory)

        def carry(picture: np.ndarray, given: Tensor | None) -> Tensor:
            image = self.geometry.prepare(picture)
            masks = None if given is None else self.geometry.labels_of_image(given.to(image.device))
            return self.geometry.labels_of_frame(memory.step(image, masks), picture.shape[:2])

        return InferenceCore(carry)
