"""Classification of videos: fine-tuning, linear and attentive probing."""

import torch
from mmengine.model import BaseModel
from torch import Tensor

from mmsigma.models.interfaces import ClassifierHead, ClipEncoder, build_part
from mmsigma.registry import MODELS


@MODELS.register_module()
class VideoClassifier(BaseModel):
    """A video backbone and a head; everything trains, or the head alone.

    ::

        tokens = backbone(inputs)               (B, N, D)
        losses = head.loss(tokens, targets)     training
        scores = head.scores(head(tokens))      testing, merged over the views of a video

    Args:
        backbone: Config of the video transformer; for SIGMA and VideoMAE with ``final_norm=False``, as the head
            normalises after pooling.
        head: Config of the head; its width follows from the backbone. Without it the model only extracts features.
        data_preprocessor: Config of the preprocessor.
        freeze_backbone: Train the head alone (probing).
        frozen_backbone_mode: What a frozen backbone does in training: ``'eval'``, or ``'train'`` as in the release,
            where stochastic depth stays on.
        views_per_forward: Largest number of views that go through the backbone at once in testing; None for all.
        init_cfg: mmengine's initialisation config.

    Raises:
        PartError: If a part does not satisfy its protocol of :mod:`mmsigma.models.interfaces`.
        ValueError: If the mode of the frozen backbone is unknown, or head and preprocessor disagree on the number of
            classes.
    """

    backbone: ClipEncoder
    head: ClassifierHead | None

    def __init__(
        self,
        backbone: dict,
        head: dict | None = None,
        data_preprocessor: dict | None = None,
        *,
        freeze_backbone: bool = False,
        frozen_backbone_mode: str = 'eval',
        views_per_forward: int | None = None,
        init_cfg: dict | None = None,
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
        """Let the preprocessor, which has the labels while they are on the CPU, know how many classes there are."""
        mixed = getattr(self.data_preprocessor, 'num_classes', None)
        classes = None if self.head is None else self.head.num_classes
        if classes and mixed not in (None, classes):
            raise ValueError(
                f'model.data_preprocessor.mixing.num_classes is {mixed} and model.head.num_classes {classes}: both are '
                'the number of classes of the data set'
            )
        self.data_preprocessor.num_classes = classes

    def train(self, mode: bool = True) -> 'VideoClassifier':
        """Switch modes; a frozen backbone stays in its own."""
        super().train(mode)
        if self.freeze_backbone and self.frozen_backbone_mode == 'eval':
            self.backbone.eval()
        return self

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list | Tensor:
        """Run the model.

        Args:
            inputs: Normalised videos (B, C, T, H, W), or several views of each (B, V, C, T, H, W) except in training.
            data_samples: One per video, with ``gt_label`` in training.
            mode: ``'loss'``; ``'predict'`` for ``data_samples`` with ``pred_score`` (C,), ``pred_label`` and
                ``mean_features`` (D,), the tokens' mean over all positions and views; ``'tensor'`` for logits (B, C) or
                (B, V, C).
        """
        if mode == 'loss':
            return self.head.loss(self.extract_tokens(inputs), stack_labels(data_samples))
        if mode == 'tensor':
            return self.classify_views(inputs)[0]
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def extract_tokens(self, inputs: Tensor) -> Tensor:
        """Tokens (B, N, D) of clips (B, C, T, H, W), without graph if the backbone is frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_backbone):
            return self.backbone(inputs)

    def classify_views(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, V, C) and mean tokens (B, V, D) of views (B, V, C, T, H, W); without V for (B, C, T, H, W)."""
        leading = inputs.shape[:-4]
        parts = inputs.flatten(0, -5).split(self.views_per_forward or len(inputs.flatten(0, -5)))
        logits, means = [], []
        for part in parts:
            tokens = self.extract_tokens(part)
            means.append(tokens.mean(dim=1))
            logits.append(self.head(tokens) if self.head else means[-1][:, :0])
        return torch.cat(logits).unflatten(0, leading), torch.cat(means).unflatten(0, leading)

    def predict(self, inputs: Tensor, data_samples: list) -> list:
        """Add scores, classes and features to the samples of videos, with or without an axis of views."""
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


def stack_labels(data_samples: list | None) -> Tensor:
    """Labels of samples: classes (B,) or, soft or multi-hot, (B, C).

    Raises:
        ValueError: If a sample has none.
    """
    missing = [sample for sample in data_samples or [] if 'gt_label' not in sample]
    if not data_samples or missing:
        names = [str(sample.get('filename', '?')) for sample in missing[:3]]
        raise ValueError(f'{len(missing)} samples have no label, {names} among them: the video list needs labels')
    labels = torch.stack([sample.gt_label for sample in data_samples])
    return labels.squeeze(1) if labels.shape[1] == 1 and not labels.is_floating_point() else labels
