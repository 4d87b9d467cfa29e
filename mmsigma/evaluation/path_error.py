"""How wrong the alignment path of two videos is, by the phases of the frames that it pairs."""

from typing import NamedTuple

from torch import Tensor

from mmsigma.evaluation.kendall import frame_distances
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
    same = labels[:, None] == labels
    rank = same.tril().sum(dim=1)
    return labels + (rank - 0.5) / same.sum(dim=1)


def path_error(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], num_phases: int, metric: str = 'sqeuclidean'
) -> PathError:
    """Align two videos by dynamic time warping of their embeddings, and compare the phases of aligned frames.

    Args:
        first: Embeddings (L, D) and phases (L,) of a video.
        second: Those of another one.
        num_phases: Phases of the action, of which progress is a share.
        metric: See :func:`mmsigma.evaluation.kendall.frame_distances`.
    """
    path = dtw_path(frame_distances(first[0], second[0], metric).clamp(min=0))
    progress = phase_progress(first[1])[path.first] - phase_progress(second[1])[path.second]
    differs = first[1][path.first] != second[1][path.second]
    return PathError(float(progress.abs().mean()) / num_phases, float(differs.double().mean()))
