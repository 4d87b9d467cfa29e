"""What prototypes stand for: the tubes of one video that are most similar to each (SIGMA, supplement, figures 1-2)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmsigma.ops.dense_clustering import project_tokens

Grid = tuple[int, int, int]
_COLOURS = ((230, 60, 40), (50, 170, 60), (60, 110, 240), (240, 180, 20), (190, 60, 210), (30, 190, 200))


def choose_prototypes(scores: Tensor, number: int, top: int = 25, max_overlap: float = 0.5) -> list[int]:
    """Prototypes that stand out in a clip: much more similar to some tubes than to the rest, and not the same tubes.

    Args:
        scores: Similarity of tubes and prototypes (N, K).
        number: How many to choose, at most.
        top: Tubes that make up a prototype's picture.
        max_overlap: Share of its tubes that a prototype may have in common with a better one.

    Returns:
        Indices, the one that stands out most first.

    Raises:
        ValueError: If none is to be chosen.
    """
    if number < 1:
        raise ValueError(f'one prototype or more can be chosen, not {number}')
    best = scores.topk(min(top, len(scores)), dim=0)
    contrast = best.values.mean(dim=0) - scores.mean(dim=0)
    chosen: list[int] = []
    for prototype in contrast.argsort(descending=True).tolist():
        tubes = best.indices[:, prototype]
        if all(torch.isin(tubes, best.indices[:, other]).float().mean() <= max_overlap for other in chosen):
            chosen.append(prototype)
        if len(chosen) == number:
            break
    return chosen


def draw_tubes(frames: np.ndarray, tubes: Tensor, grid: Grid, colour: Sequence[int] = _COLOURS[0]) -> np.ndarray:
    """Frames in which everything but some tubes is darkened; these are outlined.

    Args:
        frames: RGB (T, H, W, 3), uint8.
        tubes: Token indices.
        grid: Token grid (T', H', W').
        colour: Of the outlines.

    Returns:
        (T, H, W, 3), uint8.
    """
    result = frames // 4
    length, rows, columns = (size // cells for size, cells in zip(frames.shape, grid, strict=False))
    for tube in tubes.tolist():
        time, place = divmod(tube, grid[1] * grid[2])
        top, left = place // grid[2] * rows, place % grid[2] * columns
        part = (slice(time * length, (time + 1) * length), slice(top, top + rows), slice(left, left + columns))
        result[part] = frames[part]
        for frame in result[part[0]]:
            cv2.rectangle(frame, (left, top), (left + columns - 1, top + rows - 1), tuple(map(int, colour)), 1)
    return result


def draw_prototypes_of(
    frames: np.ndarray, scores: Tensor, grid: Grid, prototypes: Sequence[int], top: int = 25
) -> dict[int, np.ndarray]:
    """For each prototype the frames (T, H, W, 3) with its ``top`` most similar tubes; scores are (N, K)."""
    nearest = scores[:, list(prototypes)].topk(min(top, len(scores)), dim=0).indices
    return {
        prototype: draw_tubes(frames, nearest[:, column], grid, _COLOURS[column % len(_COLOURS)])
        for column, prototype in enumerate(prototypes)
    }


def pca_colours(features: Tensor, grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """The three main directions of the features of a clip as red, green and blue.

    Args:
        features: Of all tubes (N, D).
        grid: Token grid (T, H, W).
        size: (height, width) of the pictures.

    Returns:
        (T, height, width, 3), uint8; each colour spans the middle 96 % of its values.
    """
    values = project_tokens(features.float().cpu(), 3).float()
    low, high = (torch.quantile(values, share, dim=0) for share in (0.02, 0.98))
    values = ((values - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    maps = torch.nn.functional.pad(values, (0, 3 - values.shape[1])).view(*grid, 3).mul(255).round().byte().numpy()
    return np.stack([cv2.resize(map_, size[::-1], interpolation=cv2.INTER_CUBIC) for map_ in maps])
