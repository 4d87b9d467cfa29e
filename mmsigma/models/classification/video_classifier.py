"""Video classifier for fine-tuning, linear probing and attentive probing."""

from typing import Any, Literal

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.interfaces import ClassifierHead, ClipEncoder
from mmsigma.models.parts import build_part
from mmsigma.registry import MODELS

FrozenMode = Literal['eval', 'train']


@MODELS.register_module(name=['VideoClassifier', 'VideoClassificationModel'])
class VideoClassificationModel(BaseModel):
    """Video backbone with a classification head, of which everything is trained, or the head alone.

    Configs call it ``VideoClassifier``.

    ::

        tokens = backbone(inputs)               (B, N, D)
        losses = head.loss(tokens, targets)     in training
        scores = head.scores(head(tokens))      in testing, merged over the views of a video

    Args:
        backbone: Config of the video transformer, with ``final_norm=False`` for SIGMA and VideoMAE, as the head
            normalises after pooling.
        head: Config of the head; its channels follow from the backbone. None for a model that only extracts features.
        data_preprocessor: Config of the data preprocessor, ``VideoDataPreprocessor`` by default.
        freeze_backbone: Whether to train the head alone (probing).
        frozen_backbone_mode: Mode of a frozen backbone in training: ``'eval'``, or ``'train'`` as in the release, where
            stochastic depth stays active.
        views_per_forward: Largest number of views in one forward pass of the backbone; None for all.
        init_cfg: Config of MMEngine's weight initialisation.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
        ValueError: If ``frozen_backbone_mode`` is unknown, or head and preprocessor have different numbers of classes.
    """

    backbone: ClipEncoder
    head: ClassifierHead | None

    def __init__(
        self,
        backbone: dict[str, Any],
        head: dict[str, Any] | None = None,
        data_preprocessor: dict[str, Any] | None = None,
        *,
        freeze_backbone: bool = False,
        frozen_backbone_mode: FrozenMode = 'eval',
        views_per_forward: int | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        if frozen_backbone_mode not in ('eval', 'train'):
            raise ValueError(f"frozen_backbone_mode must be 'eval' or 'train', got {frozen_backbone_mode!r}")
        super().__init__(MODELS.build(data_preprocessor or dict(type='VideoDataPreprocessor')), init_cfg)
        self.backbone = build_part(backbone, ClipEncoder, 'model.backbone')
        self.head = None
        if head:
            self.head = build_part({'in_channels': self.backbone.embed_dims, **head}, ClassifierHead, 'model.head')
        self._agree_on_classes()
        self.freeze_backbone, self.frozen_backbone_mode = freeze_backbone, frozen_backbone_mode
        self.views_per_forward = views_per_forward
        if freeze_backbone:
            self.backbone.requires_grad_(False)

    def _agree_on_classes(self) -> None:
        """Give the number of classes to the preprocessor, which can check the labels while they are on the CPU."""
        mixed = getattr(self.data_preprocessor, 'num_classes', None)
        classes = None if self.head is None else self.head.num_classes
        if classes and mixed not in (None, classes):
            raise ValueError(
                f'model.data_preprocessor.mixing.num_classes is {mixed} and model.head.num_classes {classes}: set both '
                'to the number of classes of the dataset'
            )
        self.data_preprocessor.num_classes = classes

    def train(self, mode: bool = True) -> 'VideoClassificationModel':
        """Set the mode, but keep a frozen backbone in its own."""
        super().train(mode)
        if self.freeze_backbone and self.frozen_backbone_mode == 'eval':
            self.backbone.eval()
        return self

    def forward(
        self, inputs: Tensor, data_samples: list[Any] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[Any] | Tensor:
        """Run the model.

        Args:
            inputs: Normalised clips ``(B, C, T, H, W)`` or, except in training, several views of each video,
                ``(B, V, C, T, H, W)``.
            data_samples: Data samples, one per video, with ``gt_label`` for ``mode='loss'``; ignored for
                ``mode='tensor'``.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Returns:
            For ``'loss'``, the losses; for ``'predict'``, ``data_samples`` with ``pred_score``, ``(num_classes,)``,
            ``pred_label`` and ``mean_features``, ``(D,)``, the mean token of all views; for ``'tensor'``, logits
            ``(B, num_classes)`` or ``(B, V, num_classes)``.

        Raises:
            ValueError: If the mode is unknown, or samples have no labels in training.
        """
        if mode == 'loss':
            if self.head is None:
                raise ValueError("mode='loss' needs a head: set model.head")
            return self.head.loss(self.extract_tokens(inputs), stack_labels(data_samples))
        if mode == 'tensor':
            return self.classify_views(inputs)[0]
        if mode == 'predict':
            if data_samples is None:
                raise ValueError("mode='predict' needs data_samples")
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def extract_tokens(self, inputs: Tensor) -> Tensor:
        """Encode clips ``(B, C, T, H, W)`` as tokens ``(B, N, D)``, without gradients if the backbone is frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            return self.backbone(inputs)

    def classify_views(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the logits and the mean token of each view.

        Args:
            inputs: Normalised views ``(B, V, C, T, H, W)``, or clips ``(B, C, T, H, W)``.

        Returns:
            Logits ``(B, V, num_classes)`` and mean tokens ``(B, V, D)``; without V for clips. Without a head, logits
            have no channels.
        """
        leading = inputs.shape[:-4]
        parts = inputs.flatten(0, -5).split(self.views_per_forward or len(inputs.flatten(0, -5)))
        logits, means = [], []
        for part in parts:
            tokens = self.extract_tokens(part)
            means.append(tokens.mean(dim=1))
            logits.append(self.head(tokens) if self.head else means[-1][:, :0])
        return torch.cat(logits).unflatten(0, leading), torch.cat(means).unflatten(0, leading)

    def predict(self, inputs: Tensor, data_samples: list[Any]) -> list[Any]:
        """Set scores, classes and features of the samples of videos; see :meth:`forward`."""
        if inputs.ndim == 5:
            inputs = inputs[:, None]
        logits, features = self.classify_views(inputs)
        for sample, feature in zip(data_samples, features.float().mean(dim=1), strict=True):
            sample.set_field(feature, 'mean_features')
        if self.head:
            for sample, score in zip(data_samples, self.head.scores(logits.float()), strict=True):
                sample.set_field(score, 'pred_score')
                sample.set_pred_label(score.argmax(dim=-1, keepdim=True))
        return data_samples


def stack_labels(data_samples: list[Any] | None) -> Tensor:
    """Stack the labels of data samples.

    Returns:
        Classes ``(B,)``, int64, or, if they are soft or multi-hot, labels ``(B, C)``.

    Raises:
        ValueError: If a sample has no label.
    """
    missing = [sample for sample in data_samples or [] if 'gt_label' not in sample]
    if not data_samples or missing:
        names = [str(sample.get('filename', '?')) for sample in missing[:3]]
        raise ValueError(f'{len(missing)} samples have no label, {names} among them: the video list needs labels')
    labels = torch.stack([sample.gt_label for sample in data_samples])
    return labels.squeeze(1) if labels.shape[1] == 1 and not labels.is_floating_point() else labels
