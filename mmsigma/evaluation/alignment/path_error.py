"""Error of the alignment path of two videos, measured by the phases of the frames it pairs."""

from typing import NamedTuple

import torch
from torch import Tensor

from mmsigma.evaluation.alignment.frame_cost import PathChoice


class PathError(NamedTuple):
    """Result of :func:`path_error`.

    Attributes:
        progress: Mean difference in progress between paired frames, as a fraction of the action.
        phase: Fraction of paired frames that have different phases.
    """

    progress: float
    phase: float


def phase_progress(labels: Tensor) -> Tensor:
    """Return the progress of the action at each frame in phases: the phase plus its completed fraction.

    Args:
        labels: Phases of the frames, ``(L,)``, int64, from 0.

    Returns:
        Progress ``(L,)``, float64.
    """
    sizes = labels.bincount()
    order = labels.argsort(stable=True)
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(labels), device=labels.device) - (sizes.cumsum(0) - sizes)[labels[order]]
    return labels + (rank + 0.5) / sizes[labels].double()


def path_error(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], num_phases: int, choice: PathChoice | None = None
) -> PathError:
    """Align two videos by their embeddings, and compare the phases of paired frames.

    Args:
        first: Embeddings ``(L, D)`` and phases ``(L,)`` of the first video.
        second: Embeddings and phases of the second video.
        num_phases: Number of phases of the action, by which progress is divided.
        choice: Cost and path; None for the default.

    Raises:
        ValueError: If the choice is out of range.
    """
    _, path = (choice or PathChoice()).align(first[0], second[0])
    device = first[1].device  # the path is found on the CPU
    return _error((path.first.to(device), path.second.to(device)), first[1], second[1], num_phases)


def diagonal_error(first: Tensor, second: Tensor, num_phases: int) -> PathError:
    """Compute the error of the baseline that plays both videos from start to end at constant pace.

    Args:
        first: Phases of the first video, ``(L,)``.
        second: Phases of the second video.
        num_phases: See :func:`path_error`.
    """
    steps = torch.linspace(0, 1, max(len(first), len(second)), dtype=torch.float64, device=first.device)
    pairs = [(steps * (len(labels) - 1)).round().long() for labels in (first, second)]
    return _error((pairs[0], pairs[1]), first, second, num_phases)


def _error(path: tuple[Tensor, Tensor], first: Tensor, second: Tensor, num_phases: int) -> PathError:
    progress = phase_progress(first)[path[0]] - phase_progress(second)[path[1]]
    differs = first[path[0]] != second[path[1]]
    return PathError(float(progress.abs().mean()) / num_phases, float(differs.double().mean()))
