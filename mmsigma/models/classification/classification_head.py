"""Heads that classify clips by their tokens: the common base, and the head of fine-tuning and linear probing."""

from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.ops import at_least_float32
from mmsigma.registry import MODELS

Norm = Literal['layer', 'layer_plain', 'batch_plain', 'none']


def _norm(kind: Norm, channels: int) -> nn.Module:
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
    """Base of the heads that compute logits of the tokens of a view: losses, scores, and the merging of views.

    Args:
        num_classes: Number C of classes.
        label_smoothing: Share of the target that is spread over all classes.
        multi_label: Whether a video may have several classes, which takes sigmoid and binary cross-entropy instead of
            softmax.

    Raises:
        ValueError: If labels are to be smoothed and a video may have several.
    """

    def __init__(self, num_classes: int, label_smoothing: float = 0.0, multi_label: bool = False) -> None:
        super().__init__()
        if multi_label and label_smoothing:
            raise ValueError('label_smoothing needs classes that exclude each other, so no multi_label')
        self.num_classes, self.label_smoothing, self.multi_label = num_classes, label_smoothing, multi_label

    def loss(self, tokens: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the cross-entropy, and the top-1 accuracy if each target is a single class.

        Args:
            tokens: Tokens ``(B, N, D)``.
            targets: Classes ``(B,)``, int64, from 0 to C - 1; distributions over the classes ``(B, C)``; or, with
                ``multi_label``, multi-hot labels ``(B, C)``.

        Returns:
            ``loss`` and, if there is one, ``top1``, both scalars.
        """
        logits = at_least_float32(self(tokens))
        if self.multi_label:
            return {'loss': F.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))}
        out = {'loss': F.cross_entropy(logits, targets, label_smoothing=self.label_smoothing)}
        if targets.ndim == 1:
            out['top1'] = (logits.detach().argmax(dim=1) == targets).float().mean()
        return out

    @torch.no_grad()
    def scores(self, logits: Tensor) -> Tensor:
        """Merge the logits ``(B, V, C)`` of V views of each video into scores ``(B, C)``.

        A score is the mean of the softmax over the views or, with ``multi_label``, the largest sigmoid of any view.
        """
        if self.multi_label:
            return logits.sigmoid().amax(dim=1)
        return logits.softmax(dim=-1).mean(dim=1)


@MODELS.register_module()
class ClassificationHead(ViewClassifier):
    """Head of fine-tuning in VideoMAE and SIGMA: mean over the tokens, norm, dropout, and a linear layer.

    Args:
        in_channels: Number D of channels of the tokens.
        num_classes: Number C of classes.
        norm: Norm of the mean token: ``'layer'`` (as in the release), ``'layer_plain'`` and ``'batch_plain'`` (without
            parameters) or ``'none'``.
        dropout: Probability of the dropout.
        init_scale: Factor of the initial weights, which are normally distributed with a standard deviation of 0.02.
        label_smoothing: Share of the target that is spread over all classes (release: 0.1).
        multi_label: Whether a video may have several classes; see :class:`ViewClassifier`.

    Raises:
        ValueError: If ``norm`` is unknown, or labels are to be smoothed and a video may have several.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        *,
        norm: Norm = 'layer',
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
        """Pool tokens ``(B, N, D)`` to their normalised mean ``(B, D)``."""
        pooled: Tensor = self.fc_norm(tokens.mean(dim=1))
        return pooled

    def forward(self, tokens: Tensor) -> Tensor:
        """Compute logits ``(B, C)`` of tokens ``(B, N, D)``."""
        logits: Tensor = self.fc(self.dropout(self.pool(tokens)))
        return logits
