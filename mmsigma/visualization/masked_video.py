"""Images of masked video modelling: masked inputs, the tubes of prototypes, and training curves."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.io.pictures import PICTURES
from mmsigma.ops import resize_labels, sinkhorn_labels

_GAP = 4  # pixels between images
_MIN_SIDE = 128  # pixels; smaller frames are enlarged by an integer factor


def write_picture(path: str | Path, image: np.ndarray) -> None:
    """Write an RGB image ``(H, W, 3)``, uint8, atomically.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If its name does not end in that of a format.
    """
    if Path(path).suffix.lower() not in PICTURES:
        raise ValueError(f'{path} must end in one of {" ".join(sorted(PICTURES))}, the formats of images')

    def write(name: str) -> None:
        try:
            is_written = cv2.imwrite(name, np.ascontiguousarray(image[..., ::-1]))
        except cv2.error as error:
            raise OSError(f'image {path} could not be written: {error.err}') from error
        if not is_written:
            raise OSError(f'image {path} could not be written')

    write_atomically(path, write)


def mosaic(rows: list[list[np.ndarray]], min_side: int = 1) -> np.ndarray:
    """Arrange images of the same size, ``(H, W, 3)``, uint8, in a grid with white gaps.

    Args:
        rows: Images of each row.
        min_side: Images with a shorter short side, in pixels, are enlarged by an integer factor.

    Returns:
        RGB image ``(H', W', 3)``, uint8.
    """
    factor = max(1, -(-min_side // min(rows[0][0].shape[:2])))
    rows = [[image.repeat(factor, axis=0).repeat(factor, axis=1) for image in row] for row in rows]
    height, width = rows[0][0].shape[:2]
    columns = max(map(len, rows))
    size = (len(rows) * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3)
    canvas = np.full(size, 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            y, x = _GAP + i * (height + _GAP), _GAP + j * (width + _GAP)
            canvas[y : y + height, x : x + width] = image
    return canvas


def tube_map(values: Tensor, grid: tuple[int, int, int], size: tuple[int, ...]) -> np.ndarray:
    """Enlarge the values of tokens ``(N,)`` to maps ``(T, H, W)`` with the grid's T.

    Args:
        values: Values of the tokens in (t, h, w) order, ``(N,)``.
        grid: Token grid (T, h, w).
        size: Height and width of the maps in pixels.
    """
    return resize_labels(values.reshape(grid).numpy(), size)


def grey_out(clip: Tensor, mask: Tensor, grid: tuple[int, int, int]) -> np.ndarray:
    """Return the frames ``(T, H, W, 3)`` of a clip ``(C, T, H, W)``, uint8, with masked tubes in grey.

    Args:
        clip: Clip ``(C, T, H, W)``, uint8.
        mask: Which tubes are masked, ``(N,)``, bool.
        grid: Token grid (T', h, w).
    """
    frames = clip.permute(1, 2, 3, 0).numpy()
    masked = tube_map(mask.byte(), grid, tuple(clip.shape[2:])).astype(bool)
    return np.where(masked.repeat(len(frames) // grid[0], axis=0)[..., None], np.uint8(128), frames)


def _frames(clip: Tensor, columns: int) -> tuple[list[int], list[np.ndarray]]:
    """Return the numbers of evenly spread frames of a clip ``(C, T, H, W)``, and these frames."""
    times = np.linspace(0, clip.shape[1] - 1, min(columns, clip.shape[1])).astype(int).tolist()
    return times, [clip[:, time].permute(1, 2, 0).numpy() for time in times]


def draw_masked_clips(
    batch: dict[str, Any], tubelet_size: int, patch_size: int, path: str | Path, columns: int = 8
) -> None:
    """Draw two rows per clip: the frames as they are fed in, and the same with masked tubes in grey.

    Args:
        batch: Batch with ``inputs``, a list of uint8 clips ``(C, T, H, W)``, and ``data_samples`` with ``mask``.
        tubelet_size: Number of frames per tube.
        patch_size: Side of a tube in pixels.
        path: Image file to write.
        columns: Number of frames per row.
    """
    rows = []
    for clip, sample in zip(batch['inputs'], batch['data_samples'], strict=True):
        times, frames = _frames(clip, columns)
        rows.append(frames)
        if 'mask' not in sample:
            continue
        frames_, height, width = clip.shape[1:]
        grid = (frames_ // tubelet_size, height // patch_size, width // patch_size)
        greyed = grey_out(clip, sample.mask, grid)
        rows.append([greyed[time] for time in times])
    write_picture(path, mosaic(rows, _MIN_SIDE))


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


def draw_prototypes(
    batch: dict[str, Any], scores: Tensor, grid: tuple[int, int, int], number: int, path: str | Path, columns: int = 8
) -> None:
    """Draw one row per prototype: the clip with most of its tubes, according to Sinkhorn, and all others darkened.

    Args:
        batch: Batch with ``inputs``, a list of uint8 clips ``(C, T, H, W)``.
        scores: Similarity of tubes and prototypes, ``(B, N, K)``.
        grid: Token grid (T, H, W).
        number: Maximum number of prototypes to draw.
        path: Image file to write.
        columns: Number of frames per row.
    """
    labels = sinkhorn_labels(scores.flatten(0, 1), local=True).view(scores.shape[:2])
    rows = []
    for prototype in informative_prototypes(labels, scores.shape[-1], number):
        picked = labels == prototype
        best = int(picked.sum(dim=1).argmax())
        clip = batch['inputs'][best]
        tubelet = clip.shape[1] // grid[0]
        lit = tube_map(picked[best].byte(), grid, tuple(clip.shape[2:])).astype(bool)
        times, frames = _frames(clip, columns)
        rows.append(
            [
                np.where(lit[time // tubelet][..., None], frame, frame // 5)
                for time, frame in zip(times, frames, strict=True)
            ]
        )
    write_picture(path, mosaic(rows, _MIN_SIDE))


def draw_curves(scalars: dict[str, np.ndarray], path: str | Path) -> None:
    """Draw curves of losses and of the use of prototypes over the iterations.

    Args:
        scalars: Values per iteration, by name.
        path: Image file to write.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    panels = [[name for name in scalars if 'loss' in name]]
    panels += [
        [name] for name in scalars if name.startswith(('used_prototypes', 'assignment_entropy', 'relative_level'))
    ]
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4.5 * len(panels), 3.2), squeeze=False)
    for axis, names in zip(axes[0], panels, strict=True):
        for name in names:
            values = np.asarray(scalars[name], dtype=float)
            (line,) = axis.plot(values, alpha=0.25, linewidth=0.8)
            width = max(1, len(values) // 50)
            smooth = np.convolve(values, np.ones(width) / width, mode='valid')
            axis.plot(np.arange(len(smooth)) + width - 1, smooth, color=line.get_color(), label=name)
        axis.set_xlabel('iteration')
        axis.legend(frameon=False)
        axis.spines[['top', 'right']].set_visible(False)
    figure.tight_layout()
    write_atomically(path, lambda name: figure.savefig(name, dpi=110))
    pyplot.close(figure)
