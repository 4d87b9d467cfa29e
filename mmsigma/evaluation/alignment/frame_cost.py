"""Costs of matching the frames of two videos, by which paths are found."""

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import frame_distances
from mmsigma.ops.soft_dtw import contrastive_cost

Cost = Literal['sqeuclidean', 'cosine', 'contrastive']
ALIGNMENT_COSTS: tuple[Cost, ...] = get_args(Cost)


def frame_cost(first: Tensor, second: Tensor, cost: Cost = 'sqeuclidean', temperature: float = 0.1) -> Tensor:
    """Compute the cost of matching each frame of a video with each frame of another.

    Exchanging the videos transposes the costs.

    Args:
        first: Embeddings ``(M, D)``.
        second: Embeddings ``(N, D)``.
        cost: ``'sqeuclidean'`` (CARL), ``'cosine'``, or ``'contrastive'``: the mean of the costs of both directions
            that GTA is trained with, in nats, of embeddings scaled to unit length. See
            :func:`mmsigma.ops.soft_dtw.contrastive_cost`.
        temperature: Temperature of the contrastive cost.

    Returns:
        Costs ``(M, N)``, float64, not negative.

    Raises:
        ValueError: If ``cost`` is unknown, or ``temperature`` is not positive.
    """
    if cost not in ALIGNMENT_COSTS:
        raise ValueError(f'cost must be one of {ALIGNMENT_COSTS}, got {cost!r}')
    if cost != 'contrastive':
        return frame_distances(first, second, cost).clamp(min=0)
    one, other = (F.normalize(side.double(), dim=1)[None] for side in (first, second))
    ways = contrastive_cost(one, other, temperature)[0], contrastive_cost(other, one, temperature)[0].T
    return (ways[0] + ways[1]) / 2
