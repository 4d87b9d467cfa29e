"""Images of what prototypes stand for: the tubes of a video most similar to each (SIGMA, supplement, figures 1-2)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from mmsigma.ops.dense_clustering import project_tokens
from mmsigma.ops.optimal_transport import sinkhorn_labels
from mmsigma.visualization.fed_samples import FedSample, evenly_spread, heading, moments
from mmsigma.visualization.labelled_grid import Row
from mmsigma.visualization.masked_video import tube_map

Grid = tuple[int, int, int]
_COLOURS = ((230, 60, 40), (50, 170, 60), (60, 110, 240), (240, 180, 20), (190, 60, 210), (30, 190, 200))


def choose_prototypes(scores: Tensor, number: int, top: int = 25, max_overlap: float = 0.5) -> list[int]:
    """Choose prototypes that are much more similar to some tubes of a clip than to the rest, without overlaps.

    Args:
        scores: Similarity of tubes and prototypes, ``(N, K)``.
        number: Maximum number of prototypes to choose.
        top: Number of tubes in the image of a prototype.
        max_overlap: Largest fraction of its tubes that a prototype may share with a better one.

    Returns:
        Indices of prototypes, the most distinctive first.

    Raises:
        ValueError: If ``number`` is not positive.
    """
    if number < 1:
        raise ValueError(f'number of prototypes must be positive, got {number}')
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


def informative_prototypes(labels: Tensor, num_prototypes: int, number: int) -> list[int]:
    """Choose the prototypes whose use differs most between clips.

    Args:
        labels: Prototype of every tube, ``(B, N)``.
        num_prototypes: Number of prototypes K.
        number: Maximum number of prototypes to choose.

    Returns:
        Indices of used prototypes, by decreasing variance of the prototype's share over the clips.
    """
    shares = torch.stack([torch.bincount(clip, minlength=num_prototypes) for clip in labels]) / labels.shape[1]
    order = (shares.var(dim=0, unbiased=False) + shares.mean(dim=0) * 1e-3).argsort(descending=True)
    return [int(index) for index in order[:number] if shares[:, index].any()]


def prototype_rows(
    samples: Sequence[FedSample], scores: Tensor, grid: Grid, number: int, columns: int = 8
) -> list[Row]:
    """Return one row per prototype: the clip with most of its tubes, according to Sinkhorn, and all others darkened.

    Args:
        samples: B samples whose ``inputs`` are clips ``(C, T, H, W)``, uint8.
        scores: Similarity of tubes and prototypes, ``(B, N, K)``.
        grid: Token grid (T', H', W').
        number: Maximum number of prototypes.
        columns: Maximum number of frames per row.
    """
    labels = sinkhorn_labels(scores.flatten(0, 1), local=True).view(scores.shape[:2])
    rows = []
    for prototype in informative_prototypes(labels, scores.shape[-1], number):
        picked = labels == prototype
        best = int(picked.sum(dim=1).argmax())
        info, frames = samples[best].info, samples[best].packed['inputs'].permute(1, 2, 3, 0).numpy()
        lit = tube_map(picked[best].byte(), grid, frames.shape[1:3]).astype(bool).repeat(len(frames) // grid[0], axis=0)
        drawn = np.where(lit[..., None], frames, frames // 5)
        places = evenly_spread(len(frames), columns)
        numbers = np.ravel(info.get('frame_inds', np.arange(len(frames))))
        title = (
            f'prototype {prototype}: {int(picked[best].sum())} of {picked.shape[1]} tubes, {heading([samples[best]])}'
        )
        rows.append(Row(title, list(drawn[places]), moments(info, numbers[places])))
    return rows


def draw_tubes(frames: np.ndarray, tubes: Tensor, grid: Grid, colour: Sequence[int] = _COLOURS[0]) -> np.ndarray:
    """Darken everything in a clip except for some tubes, which are outlined.

    Args:
        frames: RGB frames ``(T, H, W, 3)``, uint8.
        tubes: Token indices of the tubes.
        grid: Token grid (T', H', W').
        colour: RGB colour of the outlines.

    Returns:
        RGB frames ``(T, H, W, 3)``, uint8.
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
    """Draw the most similar tubes of each prototype.

    Args:
        frames: RGB frames ``(T, H, W, 3)``, uint8.
        scores: Similarity of tubes and prototypes, ``(N, K)``.
        grid: Token grid (T', H', W').
        prototypes: Indices of the prototypes to draw.
        top: Number of tubes per prototype.

    Returns:
        RGB frames ``(T, H, W, 3)``, uint8, by prototype.
    """
    nearest = scores[:, list(prototypes)].topk(min(top, len(scores)), dim=0).indices
    return {
        prototype: draw_tubes(frames, nearest[:, column], grid, _COLOURS[column % len(_COLOURS)])
        for column, prototype in enumerate(prototypes)
    }


def pca_colours(features: Tensor, grid: Grid, size: tuple[int, int]) -> np.ndarray:
    """Show the three principal components of a clip's features as red, green and blue.

    Args:
        features: Features of all tubes, ``(N, D)``.
        grid: Token grid (T, H, W).
        size: Height and width of the images in pixels.

    Returns:
        RGB images ``(T, height, width, 3)``, uint8; each colour spans the middle 96 % of its values.
    """
    values = project_tokens(features.float().cpu(), 3).float()
    low, high = (torch.quantile(values, share, dim=0) for share in (0.02, 0.98))
    values = ((values - low) / (high - low).clamp(min=1e-12)).clamp(0, 1)
    maps = torch.nn.functional.pad(values, (0, 3 - values.shape[1])).view(*grid, 3).mul(255).round().byte().numpy()
    return np.stack([cv2.resize(map_, size[::-1], interpolation=cv2.INTER_CUBIC) for map_ in maps])
