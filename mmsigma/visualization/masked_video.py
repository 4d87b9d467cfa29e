"""Images of masked video modelling: grids of frames, masked tubes, and training curves."""

from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.io.pictures import PICTURES
from mmsigma.ops import resize_labels

_GAP = 4  # pixels between images


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


def mosaic(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Arrange images of the same size, ``(H, W, 3)``, uint8, in a grid with white gaps.

    Args:
        rows: Images of each row.

    Returns:
        RGB image ``(H', W', 3)``, uint8.
    """
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


def draw_curves(scalars: dict[str, np.ndarray], path: str | Path) -> None:
    """Draw curves of losses, of the use of prototypes and of accuracy over the iterations.

    Args:
        scalars: Values per iteration, by name.
        path: Image file to write.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    panels = [[name for name in scalars if 'loss' in name]]
    panels += [
        [name]
        for name in scalars
        if name.startswith(('used_prototypes', 'assignment_entropy', 'relative_level', 'top1'))
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
