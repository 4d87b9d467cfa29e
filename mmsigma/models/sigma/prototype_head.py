"""Head of SIGMA (ECCV 2024), with learnable prototypes to which the features of both branches are assigned."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.sigma.feature_queue import FeatureQueue
from mmsigma.models.sigma.swapped_assignment import SwappedAssignment
from mmsigma.ops import at_least_float32, exact_linear
from mmsigma.registry import MODELS


@MODELS.register_module()
class PrototypeHead(BaseModule):
    """Holds the prototypes and computes scores, losses and collapse statistics of features (SIGMA, section 3).

    Several numbers of prototypes give several levels of prototypes, coarse to fine, each with its own Sinkhorn
    assignment and its own loss.

    Args:
        in_channels: Number D of channels of the features.
        num_prototypes: Number K of prototypes, or one number per level.
        loss: Config of the loss on the scores of one level, ``SwappedAssignmentLoss`` by default.
        detach_prototypes_for_pred: Whether the term of the video model's predictions gives the prototypes no gradient,
            as in the release; they then learn from the term of the projection network alone.
        level_weights: Weight of the loss of each level; None for 1.
        queue_length: Number Q of recent features, over all processes, that are assigned together with those of the
            batch, whose codes are otherwise balanced only over its own tokens (SwAV; not in SIGMA). Useful for batches
            with fewer tokens than about ten per prototype. Costs the memory of ``2 Q (D + K)`` numbers.

    Raises:
        ValueError: If a number of prototypes is below two, or there is not one weight per level.
    """

    def __init__(
        self,
        in_channels: int,
        num_prototypes: int | Sequence[int] = 3000,
        loss: dict[str, Any] | None = None,
        *,
        detach_prototypes_for_pred: bool = True,
        level_weights: Sequence[float] | None = None,
        queue_length: int = 0,
    ) -> None:
        super().__init__()
        sizes: list[Any] = list(num_prototypes) if isinstance(num_prototypes, (list, tuple)) else [num_prototypes]
        if not sizes or not all(isinstance(size, int) and size >= 2 for size in sizes):
            raise ValueError(
                f'num_prototypes must be an integer, or one per level: two prototypes or more; got {num_prototypes!r}'
            )
        self.level_weights = list(level_weights or [1.0] * len(sizes))
        if len(self.level_weights) != len(sizes):
            raise ValueError(
                f'{len(sizes)} levels but {len(self.level_weights)} level_weights: one weight per level is needed'
            )
        self.prototypes = nn.ParameterList(nn.Parameter(F.normalize(torch.randn(size, in_channels))) for size in sizes)
        self.loss_module = MODELS.build(loss or dict(type='SwappedAssignmentLoss'))
        self.detach_prototypes_for_pred = detach_prototypes_for_pred
        self.queue = FeatureQueue(queue_length, in_channels) if queue_length else None

    def unit_prototypes(self, level: int = 0) -> Tensor:
        """Return the prototypes of a level, ``(K, D)``, at unit length; gradients are with respect to the unit vectors.

        The stored prototypes are normalised in place at every forward pass, not only at every update. Where they are
        sharded, what is written here is only a copy, and :meth:`normalize_prototypes` has to follow every update.
        """
        prototypes: Tensor = self.prototypes[level]
        unit = F.normalize(at_least_float32(prototypes.detach()), dim=1)
        # the difference is 0; no operation saves the parameter, which may be written before the backward pass
        returned = unit + (prototypes - prototypes.detach())
        if prototypes.is_leaf:
            with torch.no_grad():
                prototypes.copy_(unit)
        return returned

    @torch.no_grad()
    def normalize_prototypes(self) -> None:
        """Normalise the stored prototypes in place, also those that are sharded."""
        for prototypes in self.prototypes:
            prototypes.copy_(F.normalize(prototypes, dim=1))

    def scores(self, features: Tensor, level: int = 0) -> Tensor:
        """Compute cosine similarities ``(..., K)``, float32, of features ``(..., D)`` and the prototypes of a level."""
        return cosine_scores(features, F.normalize(at_least_float32(self.prototypes[level]), dim=1))

    def loss(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Compute the losses of swapped assignment, and collapse statistics.

        Args:
            pred: Predictions of the video model, ``(B, N_masked, D)``.
            target: Features of the projection network, ``(B, N_masked, D)``.

        Returns:
            The two terms of the loss, ``loss_target`` and ``loss_pred``, and the statistics of
            :func:`collapse_statistics`. With several levels, every name ends with the number of its level.
        """
        out: dict[str, Tensor] = {}
        target, pred = target.flatten(0, 1), pred.flatten(0, 1)
        recent = self.queue(target, pred) if self.queue and self.training else ()
        for level, weight in enumerate(self.level_weights):
            prototypes = self.unit_prototypes(level)
            scores_target = cosine_scores(target, prototypes)
            prototypes_for_pred = prototypes.detach() if self.detach_prototypes_for_pred else prototypes
            scores_pred = cosine_scores(pred, prototypes_for_pred)
            recent_scores = [cosine_scores(features, prototypes.detach()) for features in recent]
            result = self.loss_module(scores_target, scores_pred, *recent_scores)
            suffix = f'_{level}' if len(self.level_weights) > 1 else ''
            out[f'loss_target{suffix}'] = weight * result.loss_target
            out[f'loss_pred{suffix}'] = weight * result.loss_pred
            statistics = collapse_statistics(result, len(self.prototypes[level]))
            out.update({f'{name}{suffix}': value for name, value in statistics.items()})
        return out


def cosine_scores(features: Tensor, prototypes: Tensor) -> Tensor:
    """Compute cosine similarities of features ``(..., D)`` of any length and unit prototypes ``(K, D)``, in float32.

    Sinkhorn divides scores by ``epsilon`` in an exponent. In bfloat16 they are off by up to 0.003, which changes codes
    by 6 % at an ``epsilon`` of 0.05; in float16 and TF32 by 0.0001, which changes them by 0.2 %. The product is too
    small a part of a step to accept even that.

    Returns:
        Scores ``(..., K)``.
    """
    unit = F.normalize(at_least_float32(features), dim=-1)
    return exact_linear(unit, at_least_float32(prototypes).to(unit.dtype))


@torch.no_grad()
def collapse_statistics(result: SwappedAssignment, num_prototypes: int) -> dict[str, Tensor]:
    """Compute statistics that reveal a collapse from the assignments of the predictions in all processes.

    Equal features have equal codes, so that one prototype is the label of all of them. Features that only differ by
    noise have all kinds of labels, but these cannot be predicted, so that the loss stays at its uninformed level.

    Args:
        result: Result of the loss.
        num_prototypes: Number K of prototypes.

    Returns:
        ``used_prototypes``, the number of prototypes that are the label of at least one token; ``assignment_entropy``,
        the entropy of the labels relative to its largest possible value (0: all tokens have the same label, 1: all
        labels are equally frequent); ``relative_level``, the loss of this process relative to 2 ln K, its value for an
        uninformed guess.
    """
    codes = result.codes_pred
    labels = codes if codes.ndim == 1 else codes.argmax(dim=1)
    # unlike bincount, this does not make a GPU wait
    counts = labels.new_zeros(num_prototypes).index_add_(0, labels, torch.ones_like(labels))
    all_reduce(counts)
    total = counts.sum()
    entropy = torch.special.entr(counts / total).sum() / total.clamp(2, num_prototypes).log()
    return {
        'used_prototypes': (counts > 0).sum().float(),
        'assignment_entropy': entropy,
        'relative_level': (result.loss_target + result.loss_pred) / (2 * math.log(num_prototypes)),
    }
