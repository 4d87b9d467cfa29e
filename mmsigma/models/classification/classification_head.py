"""Classification of pooled tokens: fine-tuning and linear probing."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.registry import MODELS


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == 'layer':
        return nn.LayerNorm(channels, eps=1e-6)
    if kind == 'layer_plain':
        return nn.LayerNorm(channels, eps=1e-6, elementwise_affine=False)
    if kind == 'batch_plain':
        return nn.BatchNorm1d(channels, eps=1e-6, affine=False)
    if kind == 'none':
        return nn.Identity()
    raise ValueError(f"norm must be 'layer', 'layer_plain', 'batch_plain' or 'none', got {kind!r}")


class ViewClassifier(BaseModule):
    """What all heads share that turn the tokens of a view into logits: losses, scores and the merging of views.

    Args:
        num_classes: Number of classes C.
        label_smoothing: Share of the target that is spread over all classes.
        multi_label: Classes do not exclude each other: sigmoid and binary cross-entropy instead of softmax.
    """

    def __init__(self, num_classes: int, label_smoothing: float = 0.0, multi_label: bool = False) -> None:
        super().__init__()
        if multi_label and label_smoothing:
            raise ValueError('label_smoothing needs classes that exclude each other, so no multi_label')
        self.num_classes, self.label_smoothing, self.multi_label = num_classes, label_smoothing, multi_label

    def loss(self, tokens: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Cross-entropy, and the top-1 accuracy if there are hard targets.

        Args:
            tokens: (B, N, D).
            targets: Classes (B,), int64, from 0 to C - 1, or shares of classes (B, C), or multi-hot (B, C).
        """
        logits = self(tokens).float()
        if self.multi_label:
            return {'loss': F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))}
        out = {'loss': F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)}
        if targets.ndim == 1:
            out['top1'] = (logits.detach().argmax(dim=1) == targets).float().mean()
        return out

    @torch.no_grad()
    def scores(self, logits: Tensor) -> Tensor:
        """Scores (B, C) of videos from logits (B, V, C) of their views.

        The mean of softmax scores, or for several labels the largest sigmoid score of any view.
        """
        if self.multi_label:
            return logits.sigmoid().amax(dim=1)
        return logits.softmax(dim=-1).mean(dim=1)


@MODELS.register_module()
class ClassificationHead(ViewClassifier):
    """Mean over tokens, norm, dropout, linear: the head of VideoMAE and SIGMA fine-tuning.

    Args:
        in_channels: Width of the tokens D.
        num_classes: Number of classes C.
        norm: What the pooled feature passes: ``'layer'`` (trained, as released), ``'layer_plain'`` and
            ``'batch_plain'`` (nothing to train) or ``'none'``.
        dropout: Probability.
        init_scale: The weights start from a normal distribution of standard deviation 0.02, times this.
        label_smoothing: Share of the target that is spread over all classes (released: 0.1).
        multi_label: Sigmoid and binary cross-entropy instead of softmax; views merge by their maximum.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        norm: str = 'layer',
        dropout: float = 0.0,
        init_scale: float = 0.001,
        label_smoothing: float = 0.0,
        multi_label: bool = False,
    ) -> None:
        super().__init__(num_classes, label_smoothing, multi_label)
        self.fc_norm = _norm(norm, in_channels)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_channels, num_classes)
        nn.init.trunc_normal_(self.fc.weight, std=0.02)
        with torch.no_grad():
            self.fc.weight.mul_(init_scale)
            self.fc.bias.zero_()

    def pool(self, tokens: Tensor) -> Tensor:
        """Normalised mean (B, D) of tokens (B, N, D)."""
        return self.fc_norm(tokens.mean(dim=1))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits (B, C) of tokens (B, N, D)."""
        return self.fc(self.dropout(self.pool(tokens)))
