"""Head of SIGMA: learnable prototypes that the features of both branches are assigned to."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmsigma.models.sigma.swapped_assignment import SwappedAssignment
from mmsigma.ops import full_float32, linear
from mmsigma.registry import MODELS


@MODELS.register_module()
class PrototypeHead(BaseModule):
    """Owns the prototypes and turns features into scores, losses and signs of collapse (SIGMA, section 3).

    Several levels of codebooks, coarse to fine, each with its own Sinkhorn and its own loss, are had by giving
    several numbers of prototypes.

    Args:
        in_channels: Width D of the features.
        num_prototypes: Number of prototypes K, or one number per level.
        loss: Config of the loss on the scores of one level.
        detach_prototypes_for_pred: Do not let the video model's term move the prototypes, as the release does; they
            then learn from the projection network's term alone.
        level_weights: Weight of each level's loss; 1 by default.
    """

    def __init__(
        self,
        in_channels: int,
        num_prototypes: int | Sequence[int] = 3000,
        loss: dict | None = None,
        *,
        detach_prototypes_for_pred: bool = True,
        level_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        sizes = list(num_prototypes) if isinstance(num_prototypes, (list, tuple)) else [num_prototypes]
        if not sizes or not all(isinstance(size, int) and size >= 2 for size in sizes):
            raise ValueError(
                f'num_prototypes must be an integer, or one per level: two prototypes or more; got {num_prototypes!r}'
            )
        self.level_weights = list(level_weights or [1.0] * len(sizes))
        if len(self.level_weights) != len(sizes):
            raise ValueError(f'{len(sizes)} levels but {len(self.level_weights)} level_weights')
        self.prototypes = nn.ParameterList(nn.Parameter(F.normalize(torch.randn(size, in_channels))) for size in sizes)
        self.loss_module = MODELS.build(loss or dict(type='SwappedAssignmentLoss'))
        self.detach_prototypes_for_pred = detach_prototypes_for_pred

    def unit_prototypes(self, level: int = 0) -> Tensor:
        """Prototypes of a level on the unit sphere (K, D); gradients are those with respect to the unit vectors.

        The stored prototypes are normalised in place at every forward pass, not only at every update. Under FSDP they
        are views of a sharded array, which cannot be written: there, only what is returned is normalised.
        """
        prototypes = self.prototypes[level]
        unit = F.normalize(prototypes.detach().float(), dim=1)
        if not prototypes.is_leaf:
            return prototypes + (unit - prototypes).detach()
        with torch.no_grad():
            prototypes.copy_(unit)
        return prototypes

    def scores(self, features: Tensor, level: int = 0) -> Tensor:
        """Cosine similarities of features (..., D) and the prototypes of a level, (..., K), in float32."""
        return cosine_scores(features, F.normalize(self.prototypes[level].float(), dim=1))

    def loss(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Swapped assignment losses and collapse statistics.

        Args:
            pred: Predictions of the video model (B, N_masked, D).
            target: Features of the projection network (B, N_masked, D).

        Returns:
            ``loss_target`` and ``loss_pred``, to be summed, and the statistics of :func:`collapse_statistics`. With
            several levels every key carries the level's number.
        """
        out = {}
        for level, weight in enumerate(self.level_weights):
            prototypes = self.unit_prototypes(level)
            scores_target = cosine_scores(target.flatten(0, 1), prototypes)
            prototypes_for_pred = prototypes.detach() if self.detach_prototypes_for_pred else prototypes
            scores_pred = cosine_scores(pred.flatten(0, 1), prototypes_for_pred)
            result = self.loss_module(scores_target, scores_pred)
            suffix = f'_{level}' if len(self.level_weights) > 1 else ''
            out[f'loss_target{suffix}'] = weight * result.loss_target
            out[f'loss_pred{suffix}'] = weight * result.loss_pred
            statistics = collapse_statistics(result, len(self.prototypes[level]))
            out.update({f'{name}{suffix}': value for name, value in statistics.items()})
        return out


def cosine_scores(features: Tensor, prototypes: Tensor) -> Tensor:
    """Scores (..., K), float32, of features (..., D) of any length and unit prototypes (K, D).

    Scores are divided by ``epsilon`` in an exponent. bfloat16 is off by up to 0.003, which changes codes by 6 % at an
    ``epsilon`` of 0.05; float16 and TF32 by 0.0001, which is 0.2 %. So small a part of a step is not worth even that.
    """
    with full_float32(features.device.type):
        return linear(F.normalize(features.float(), dim=-1), prototypes.float())


@torch.no_grad()
def collapse_statistics(result: SwappedAssignment, num_prototypes: int) -> dict[str, Tensor]:
    """Signs of collapse, from the assignments of the predictions, those of all processes.

    Equal features have equal codes, so one prototype gets all their labels. Features that differ by noise alone have
    labels of any kind, but nothing can predict those: then the loss stays at its uninformed level.

    Args:
        result: What the loss returned.
        num_prototypes: Number of prototypes K.

    Returns:
        ``used_prototypes``, how many are the label of at least one token; ``assignment_entropy`` of that use, relative
        to its largest possible value (0: one prototype takes all; 1: equal use); ``relative_level``, the loss of this
        process relative to 2 ln K, the value of an uninformed guess.
    """
    codes = result.codes_pred
    labels = codes if codes.ndim == 1 else codes.argmax(dim=1)
    counts = torch.bincount(labels, minlength=num_prototypes)
    all_reduce(counts)
    total = counts.sum()
    entropy = torch.special.entr(counts / total).sum() / total.clamp(2, num_prototypes).log()
    return {
        'used_prototypes': (counts > 0).sum().float(),
        'assignment_entropy': entropy,
        'relative_level': (result.loss_target + result.loss_pred) / (2 * math.log(num_prototypes)),
    }
