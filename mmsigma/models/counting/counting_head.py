"""Head that estimates the ratio of cycle length and segment length for two neighbouring segments (SEVERE)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.ops.precision import at_least_float32
from mmsigma.ops.repetition import ANCHORS, UNDEFINED, anchor_targets
from mmsigma.registry import MODELS


class CycleScores(NamedTuple):
    """Scores of B states for A anchors.

    Attributes:
        cls_left: Logits against and for each anchor for the left segment, ``(B, 2, A)``.
        box_left: Log scale relative to each anchor for the left segment, ``(B, A)``.
        cls_right: Logits for the right segment, ``(B, 2, A)``.
        box_right: Log scales for the right segment, ``(B, A)``.
    """

    cls_left: Tensor
    box_left: Tensor
    cls_right: Tensor
    box_right: Tensor

    def double(self) -> 'CycleScores':
        """Return the scores without gradient, in float64 on the CPU, where states are computed."""
        return CycleScores(*(value.detach().double().cpu() for value in self))


@MODELS.register_module()
class CountingHead(BaseModule):
    """Four linear layers on the pooled feature: class and scale of each anchor, for the left and the right segment.

    The loss (that of SEVERE) is, summed over both segments, the cross-entropy of anchors with a defined label plus
    ``box_weight`` times the smooth L1 distance of log scales. Scales of anchors that are not positive have no loss, but
    count in the mean.

    Args:
        in_channels: Number C of channels of the pooled feature.
        anchors: Candidates for the ratio of cycle length and segment length.
        box_weight: Weight of the term of the scales.
        init_cfg: Config of MMEngine's weight initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        anchors: Sequence[float] = ANCHORS,
        box_weight: float = 50.0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.anchors, self.box_weight = tuple(anchors), box_weight
        self.cls_left = nn.Linear(in_channels, 2 * len(self.anchors))
        self.box_left = nn.Linear(in_channels, len(self.anchors))
        self.cls_right = nn.Linear(in_channels, 2 * len(self.anchors))
        self.box_right = nn.Linear(in_channels, len(self.anchors))

    def forward(self, features: Tensor) -> CycleScores:
        """Compute the scores of pooled features ``(B, C)``."""
        shape = (2, len(self.anchors))
        return CycleScores(
            self.cls_left(features).unflatten(1, shape),
            self.box_left(features),
            self.cls_right(features).unflatten(1, shape),
            self.box_right(features),
        )

    def loss(self, scores: CycleScores, labels: Tensor, segments: Tensor) -> dict[str, Tensor]:
        """Compute the losses of B states.

        Args:
            scores: Scores of the states.
            labels: Distances in frames, ``(B, 2)``, from the middle to its matching frame in the previous cycle, and
                from the frame after the middle to that in the next cycle; -1 where undefined.
            segments: Lengths of the left and the right segments in frames, ``(B, 2)``.

        Returns:
            ``loss_cls``, ``loss_box``, and ``positive_share``, the share of positive anchors.
        """
        left_classes, left_scales = anchor_targets(labels[:, 0], segments[:, 0], self.anchors)
        right_classes, right_scales = anchor_targets(labels[:, 1], segments[:, 1], self.anchors)
        cls = _class_loss(scores.cls_left, left_classes) + _class_loss(scores.cls_right, right_classes)
        box = _scale_loss(scores.box_left, left_scales, left_classes)
        box = box + _scale_loss(scores.box_right, right_scales, right_classes)
        positive = torch.cat([left_classes, right_classes]) == 1
        return {'loss_cls': cls, 'loss_box': self.box_weight * box, 'positive_share': positive.float().mean()}

    def cycle_scales(self, scores: CycleScores, max_log_scale: float) -> Tensor:
        """Decode the most likely ratio of cycle length and segment length.

        Args:
            scores: Scores of B states.
            max_log_scale: Largest absolute log scale relative to the anchor; larger ones are clamped.

        Returns:
            Ratios of the left and the right segments, ``(B, 2)``.
        """
        anchors = scores.box_left.new_tensor(self.anchors)
        sides = ((scores.cls_left, scores.box_left), (scores.cls_right, scores.box_right))
        scales = []
        for classes, box in sides:
            best = classes.softmax(dim=1)[:, 1].argmax(dim=1, keepdim=True)
            offset = box.gather(1, best)[:, 0].clamp(-max_log_scale, max_log_scale)
            scales.append(anchors[best[:, 0]] * offset.exp())
        return torch.stack(scales, dim=1)


def _class_loss(scores: Tensor, classes: Tensor) -> Tensor:
    """Average the cross-entropy of logits ``(B, 2, A)`` over the defined ones of classes ``(B, A)``; 0 if none is."""
    total = F.cross_entropy(at_least_float32(scores), classes, ignore_index=UNDEFINED, reduction='sum')
    return total / (classes != UNDEFINED).sum().clamp(min=1)


def _scale_loss(box: Tensor, target: Tensor, classes: Tensor) -> Tensor:
    """Average the smooth L1 distance of log scales ``(B, A)`` over all entries, with 0 for those not positive."""
    box = at_least_float32(box)
    return F.smooth_l1_loss(box, torch.where(classes == 1, target.to(box.dtype), box.detach()))
