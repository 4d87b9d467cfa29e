"""How wrong the alignment path of two videos is, by the phases of the frames that it pairs."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmsigma.evaluation.alignment.kendall import frame_distances
from mmsigma.ops.soft_dtw import dtw_path


class PathError(NamedTuple):
    """Result of :func:`path_error`.

    Attributes:
        progress: Mean difference of the progress of two aligned frames, as a share of the action.
        phase: Share of aligned frames that are of different phases.
    """

    progress: float
    phase: float


def phase_progress(labels: Tensor) -> Tensor:
    """How far the action is at each frame: the phase, and how much of it is over, (L,), float64, in phases.

    Args:
        labels: Phases of the frames (L,), int64, from 0.
    """
    sizes = labels.bincount()
    order = labels.argsort(stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(labels)) - (sizes.cumsum(0) - sizes)[labels[order]]
    return labels + (rank + 0.5) / sizes[labels].double()


def path_error(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], num_phases: int, metric: str = 'sqeuclidean'
) -> PathError:
    """Align two videos by dynamic time warping of their embeddings, and compare the phases of aligned frames.

    Args:
        first: Embeddings (L, D) and phases (L,) of a video.
        second: Those of another one.
        num_phases: Phases of the action, of which progress is a share.
        metric: See :func:`mmsigma.evaluation.alignment.kendall.frame_distances`.
    """
    path = dtw_path(frame_distances(first[0], second[0], metric).clamp(min=0))
    return _error((path.first, path.second), first[1], second[1], num_phases)


def diagonal_error(first: Tensor, second: Tensor, num_phases: int) -> PathError:
    """What a path has to be better than: both videos played from begin to end at a constant pace.

    Args:
        first: Phases (L,) of a video.
        second: Those of another one.
        num_phases: See :func:`path_error`.
    """
    steps = torch.linspace(0, 1, max(len(first), len(second)), dtype=torch.float64)
    pairs = [(steps * (len(labels) - 1)).round().long() for labels in (first, second)]
    return _error((pairs[0], pairs[1]), first, second, num_phases)


def _error(path: tuple[Tensor, Tensor], first: Tensor, second: Tensor, num_phases: int) -> PathError:
    progress = phase_progress(first)[path[0]] - phase_progress(second)[path[1]]
    differs = first[path[0]] != second[path[1]]
    return PathError(float(progress.abs().mean()) / num_phases, float(differs.double().mean()))
