"""Mask-VOS (CVPR 2023): mask embedding and correspondence, learnt jointly from unlabelled videos."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.clip_views import ClipViews
from mmsigma.models.interfaces import Correspondence, MaskEncoder, ObjectDecoder, VisualEncoder
from mmsigma.models.mask_vos.mask_propagator import MaskPropagator
from mmsigma.models.mask_vos.mask_reader import MaskReader, segmentation_loss
from mmsigma.models.mask_vos.networks import EncodedFrame
from mmsigma.models.parts import build_part, require
from mmsigma.models.propagation.frame_geometry import FrameGeometry
from mmsigma.models.propagation.inference_core import InferenceCore
from mmsigma.models.propagation.label_propagation import predict_masks
from mmsigma.registry import MODELS


@MODELS.register_module()
class MaskVOS(BaseModel):
    """Learns keys for correspondence, and to segment videos with them, from pseudo masks that are clusters of the keys.

    ::

        frames  = backbone.encode(images)                                 keys, features, skips
        losses  = correspondence.loss(keys, ...)                          from the first epoch on
        losses += segmentation_loss(reader, images, frames, pseudo masks) where there are pseudo masks

    Without ``mask_encoder`` and ``decoder``, the model is that of the correspondence stage. A clip whose video has no
    pseudo mask is left out of the segmentation loss.

    Args:
        backbone: Config of the visual encoder E. After training, it is also a backbone for :class:`LabelPropagation`.
        correspondence: Config of the correspondence scheme; None trains the segmentation alone.
        mask_encoder: Config of the frame-mask encoder V; None together with ``decoder``.
        decoder: Config of the mask decoder D; None together with ``mask_encoder``.
        data_preprocessor: Config of the data preprocessor, ``ClipViewsPreprocessor`` by default.
        segmentation: Arguments of :func:`mmsigma.models.mask_vos.mask_reader.segmentation_loss`, and its ``weight``, 1
            by default.
        memory: Arguments of :class:`mmsigma.models.mask_vos.mask_propagator.MaskPropagator`, which is for testing.
        geometry: Arguments of :class:`mmsigma.models.propagation.frame_geometry.FrameGeometry`, which is for testing.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`, or the visual encoder
            that of the correspondence scheme.
        ValueError: If only one of mask encoder and decoder is given.
    """

    backbone: VisualEncoder
    correspondence: Correspondence | None
    reader: MaskReader | None

    def __init__(
        self,
        backbone: dict[str, Any],
        correspondence: dict[str, Any] | None = None,
        mask_encoder: dict[str, Any] | None = None,
        decoder: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        *,
        segmentation: dict[str, Any] | None = None,
        memory: dict[str, Any] | None = None,
        geometry: dict[str, Any] | None = None,
        init_cfg: dict[str, Any] | None = None,
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
        self, inputs: Any, data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[Any] | Tensor:
        """Run the model.

        Args:
            inputs: Clips as :class:`ClipViews` for ``mode='loss'``; normalised images ``(B, 3, H, W)`` for
                ``mode='tensor'``; videos, :class:`mmsigma.models.interfaces.VideoSource`, for ``mode='predict'``.
            data_samples: Data samples, one per clip or video, for ``mode='loss'`` with ``pseudo_mask``, ``(T, H, W)``,
                or ``(T, V, H, W)`` if soft, empty if there is none; ignored for ``mode='tensor'``.
            mode: ``'loss'``, ``'tensor'`` or ``'predict'``.

        Returns:
            For ``'loss'``, losses and statistics; for ``'tensor'``, keys ``(B, D, h, w)``; for ``'predict'``,
            ``data_samples`` with ``pred_masks`` or ``failure``.

        Raises:
            ValueError: If the mode is unknown, or is ``'predict'`` and the model has no decoder.
        """
        if mode == 'loss':
            if data_samples is None:
                raise ValueError("mode='loss' needs data_samples")
            return self.loss(inputs, data_samples)
        if mode == 'tensor':
            return self.backbone(inputs)
        if mode == 'predict':
            if data_samples is None:
                raise ValueError("mode='predict' needs data_samples")
            for sequence, sample in zip(inputs, data_samples, strict=True):
                predict_masks(self.new_inference_core(), sequence, sample)
            return data_samples
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, clip: ClipViews, data_samples: list[Any]) -> dict[str, Tensor]:
        """Compute losses and statistics of clips; for the arguments, see :meth:`forward`."""
        labelled = [index for index, sample in enumerate(data_samples) if sample.pseudo_mask.numel()]
        segments, scheme = self.reader is not None, self.correspondence
        uses_keys = scheme is not None and scheme.uses_keys
        frames: list[EncodedFrame] = []
        if segments and (uses_keys or labelled):
            frames = [self.backbone.encode(images) for images in clip.images.unbind(1)]
        losses: dict[str, Tensor] = {}
        if scheme is not None:
            losses |= scheme.loss(self._keys(clip, frames) if uses_keys else None, clip, self.backbone)
        if segments:
            losses['loss_segmentation'] = self.weight * self._segmentation(clip.images, frames, data_samples, labelled)
            losses['labelled_clips'] = clip.images.new_tensor(len(labelled) / len(data_samples))
        return losses

    def _keys(self, clip: ClipViews, frames: list[EncodedFrame]) -> Tensor:
        """Return the keys of the images, ``(B, T, D, h, w)``; without a decoder, nothing else is computed."""
        keys = [frame.key for frame in frames] or [self.backbone(images) for images in clip.images.unbind(1)]
        return torch.stack(keys, dim=1)

    def _segmentation(
        self, images: Tensor, frames: list[EncodedFrame], data_samples: list[Any], labelled: list[int]
    ) -> Tensor:
        assert self.reader is not None
        if not labelled:
            if self.correspondence is not None:
                # no gradient rather than zeros, so that weight decay leaves V and D alone
                return images.new_zeros(())
            zero: Tensor = 0.0 * sum(parameter.sum() for parameter in self.reader.parameters())  # type: ignore[assignment]  # V and D have some
            return zero
        labels = torch.stack([data_samples[index].pseudo_mask for index in labelled]).to(images.device)
        if labels.ndim == 5:  # shares on the scale 0..255, up to rounding
            labels = labels.to(images.dtype) / labels.sum(dim=2, keepdim=True)
        else:
            labels = labels.long()
        index = torch.tensor(labelled, device=images.device)
        chosen = [type(frame)(*(maps.index_select(0, index) for maps in frame)) for frame in frames]
        given = images.index_select(0, index)
        return segmentation_loss(self.reader, given, chosen, labels, **self.segmentation)

    def new_inference_core(self) -> InferenceCore:
        """Build an inference core for one video.

        Raises:
            ValueError: If the model has no decoder. Its keys can segment by label propagation, see ``configs/vos``.
        """
        if self.reader is None:
            raise ValueError('the model has no decoder: test its encoder as the backbone of LabelPropagation')
        memory = MaskPropagator(self.backbone, self.reader, **self.memory)

        def carry(picture: npt.NDArray[np.uint8], given: Tensor | None) -> Tensor:
            image = self.geometry.prepare(picture)
            masks = None if given is None else self.geometry.labels_of_image(given.to(image.device))
            return self.geometry.labels_of_frame(memory.step(image, masks), picture.shape[:2])

        return InferenceCore(carry)
