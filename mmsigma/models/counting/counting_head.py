"""By how much two neighbouring segments are longer or shorter than the cycles they stand for."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.ops.repetition import ANCHORS, UNDEFINED, anchor_targets
from mmsigma.registry import MODELS


class CycleScores(NamedTuple):
    """What the head says of B states, for A anchors.

    Attributes:
        cls_left: Scores (B, 2, A) against and for each anchor, of the left segment.
        box_left: Log scale (B, A) on top of each anchor, of the left segment.
        cls_right: As ``cls_left``, of the right segment.
        box_right: As ``box_left``, of the right segment.
    """

    cls_left: Tensor
    box_left: Tensor
    cls_right: Tensor
    box_right: Tensor

    def double(self) -> 'CycleScores':
        """Without gradient, in float64 on the CPU, where states are computed."""
        return CycleScores(*(value.detach().double().cpu() for value in self))


@MODELS.register_module()
class CountingHead(BaseModule):
    """Four linear maps of the pooled feature: class and scale of each anchor, for the left and the right segment.

    The loss (SEVERE's) is the sum over both sides of the cross-entropy over all anchors with a defined label and of
    ``box_weight`` times the smooth L1 distance of log scales. Scales of anchors that are not positive cost nothing but
    count in the mean.

    Args:
        in_channels: Width of the pooled feature.
        anchors: Scales of a segment that compete for its cycle.
        box_weight: Weight of the scales' term.
        init_cfg: mmengine's initialisation config.
    """

    def __init__(
        self,
        in_channels: int,
        anchors: Sequence[float] = ANCHORS,
        box_weight: float = 50.0,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.anchors, self.box_weight = tuple(anchors), box_weight
        self.cls_left = nn.Linear(in_channels, 2 * len(self.anchors))
        self.box_left = nn.Linear(in_channels, len(self.anchors))
        self.cls_right = nn.Linear(in_channels, 2 * len(self.anchors))
        self.box_right = nn.Linear(in_channels, len(self.anchors))

    def forward(self, features: Tensor) -> CycleScores:
        """Scores of pooled features (B, C)."""
        shape = (2, len(self.anchors))
        return CycleScores(
            self.cls_left(features).unflatten(1, shape),
            self.box_left(features),
            self.cls_right(features).unflatten(1, shape),
            self.box_right(features),
        )

    def loss(self, scores: CycleScores, labels: Tensor, segments: Tensor) -> dict[str, Tensor]:
        """Losses of B states.

        Args:
            scores: Of the states.
            labels: Distances (B, 2) to the matching frame of the previous cycle at the middle and of the next cycle
                one frame later; -1 if undefined.
            segments: Lengths (B, 2) of the left and the right segment in frames.

        Returns:
            ``loss_cls``, ``loss_box``, and ``positive_share``, the share of anchors that are positive.
        """
        left_classes, left_scales = anchor_targets(labels[:, 0], segments[:, 0], self.anchors)
        right_classes, right_scales = anchor_targets(labels[:, 1], segments[:, 1], self.anchors)
        cls = _class_loss(scores.cls_left, left_classes) + _class_loss(scores.cls_right, right_classes)
        box = _scale_loss(scores.box_left, left_scales, left_classes)
        box = box + _scale_loss(scores.box_right, right_scales, right_classes)
        positive = torch.cat([left_classes, right_classes]) == 1
        return {'loss_cls': cls, 'loss_box': self.box_weight * box, 'positive_share': positive.float().mean()}

    def cycle_scales(self, scores: CycleScores, max_log_scale: float) -> Tensor:
        """The likeliest scale of each segment: (B, 2), left and right.

        Args:
            scores: Of B states.
            max_log_scale: Log scales on top of the anchor are clamped to plus and minus this.
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
    """Cross-entropy of scores (B, 2, A), averaged over defined entries of classes (B, A); 0 if there are none."""
    total = F.cross_entropy(scores.float(), classes, ignore_index=UNDEFINED, reduction='sum')
    return total / (classes != UNDEFINED).sum().clamp(min=1)


def _scale_loss(box: Tensor, target: Tensor, classes: Tensor) -> Tensor:
    """Smooth L1 distance of log scales (B, A), averaged over all entries, those that are not positive being 0."""
    box = box.float()
    return F.smooth_l1_loss(box, torch.where(classes == 1, target.float(), box.detach()))
