"""Costs of matching the frames of two videos, and the choice of cost and path by which videos are aligned."""

from typing import Literal, NamedTuple, get_args

import torch.nn.functional as F
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import frame_distances
from mmsigma.ops.soft_dtw import contrastive_cost
from mmsigma.ops.warping_paths import PATH_KINDS, FramePath, PathKind, find_path

Cost = Literal['sqeuclidean', 'cosine', 'contrastive']
ALIGNMENT_COSTS: tuple[Cost, ...] = get_args(Cost)
# temperatures of mean paths: the best of a sweep on half of the videos, see docs/alignment.md
GAMMAS: dict[Cost, float] = {'sqeuclidean': 1.0, 'cosine': 0.5, 'contrastive': 3.0}


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


class PathChoice(NamedTuple):
    """How two videos are aligned; the default is the best of those measured in docs/alignment.md.

    Attributes:
        cost: Cost of matching two frames, see :func:`frame_cost`.
        path: Path through the costs, see :func:`mmsigma.ops.warping_paths.find_path`.
        temperature: Temperature of the contrastive cost.
        gamma: Temperature of ``path='expected'``, in the unit of the cost; None for the one that :data:`GAMMAS` has for
            it.
        max_pace: Largest pace of ``path='slope'``.
    """

    cost: Cost = 'contrastive'
    path: PathKind = 'expected'
    temperature: float = 0.1
    gamma: float | None = None
    max_pace: int = 2

    def check(self) -> None:
        """Check what is known before there are videos.

        Raises:
            ValueError: If an argument is out of range.
        """
        if self.cost not in ALIGNMENT_COSTS or self.path not in PATH_KINDS:
            raise ValueError(
                f'cost must be one of {ALIGNMENT_COSTS} and path one of {PATH_KINDS}, '
                f'got {self.cost!r} and {self.path!r}'
            )
        if not self.temperature > 0 or not (self.gamma is None or self.gamma > 0) or self.max_pace < 1:
            raise ValueError(
                'temperature and gamma must be positive and max_pace at least 1, '
                f'got {self.temperature}, {self.gamma} and {self.max_pace}'
            )

    def align(self, first: Tensor, second: Tensor) -> tuple[Tensor, FramePath]:
        """Align two videos by their embeddings, ``(M, D)`` and ``(N, D)``.

        Returns:
            Costs ``(M, N)``, float64, and the path through them, on the CPU.

        Raises:
            ValueError: If an argument is out of range.
        """
        self.check()
        costs = frame_cost(first, second, self.cost, self.temperature)
        gamma = GAMMAS[self.cost] if self.gamma is None else self.gamma
        return costs, find_path(costs, self.path, max_pace=self.max_pace, gamma=gamma)
