"""Images and videos of two temporally aligned videos, and curves of anomalous frames (GTA; TCC)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.io.video import FrameReader

_CAPTION = 22  # pixels below a frame


def pick_frames(video: FrameReader, number: int = 6) -> list[np.ndarray]:
    """Read the middle frames of ``number`` equally long parts of a video, for :func:`draw_alignment`."""
    return [video.read(int((place + 0.5) * len(video) / number)) for place in range(number)]


def draw_alignment(
    cost: Tensor,
    path: tuple[Tensor, Tensor],
    out: str | Path,
    *,
    names: tuple[str, str] = ('first video', 'second video'),
    frames: tuple[Sequence[np.ndarray], Sequence[np.ndarray]] = ((), ()),
) -> None:
    """Draw the cost matrix of two videos, the first from top to bottom, with the path and frames along both sides.

    Args:
        cost: Cost of matching frames of both videos, ``(M, N)``.
        path: Matched frames of the first and of the second video, ``(P,)`` each.
        out: Image file to write.
        names: Names of the videos.
        frames: Some RGB frames of each video, ``(H, W, 3)``, uint8, evenly spread over it; empty to draw the matrix
            alone.

    Raises:
        OSError: If the file cannot be written.
    """
    pyplot = _pyplot()
    figure = pyplot.figure(figsize=(8, 6.5), layout='constrained')
    shown = any(map(len, frames))
    sizes = dict(width_ratios=(6, 40, 1), height_ratios=(6, 1)) if shown else dict(width_ratios=(0.01, 40, 1))
    grid = figure.add_gridspec(2 if shown else 1, 3, **sizes)
    axis = figure.add_subplot(grid[0, 1])
    picture = axis.imshow(cost.cpu().numpy(), aspect='auto', interpolation='nearest', cmap='viridis')
    axis.plot(path[1].cpu().numpy(), path[0].cpu().numpy(), color='white', linewidth=1.5)
    axis.set(xlabel=f'frame of {names[1]}', ylabel=f'frame of {names[0]}')
    figure.colorbar(picture, cax=figure.add_subplot(grid[0, 2]), label='cost')
    if frames[0]:
        _add_strip(figure, grid[0, 0].subgridspec(len(frames[0]), 1), frames[0])
    if frames[1]:
        _add_strip(figure, grid[1, 1].subgridspec(1, len(frames[1])), frames[1])
    _save(figure, out)


def draw_anomaly(
    curve: Sequence[float] | np.ndarray, out: str | Path, *, times: np.ndarray | None = None, name: str = ''
) -> None:
    """Draw the distance of each frame to the nearest frame of typical videos over time, and mark the largest.

    Args:
        curve: Distances ``(L,)``.
        out: Image file to write.
        times: Time of every frame in seconds, ``(L,)``; None for one second per frame.
        name: Name of the video.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If there is no frame.
    """
    values = np.asarray(curve, dtype=float)
    if not len(values):
        raise ValueError(f'there is no frame to draw in {out}')
    seconds, peak = np.arange(len(values)) if times is None else times, int(values.argmax())
    figure = _pyplot().figure(figsize=(8, 3), layout='constrained')
    axis = figure.add_subplot()
    axis.plot(seconds, values)
    axis.plot(seconds[peak], values[peak], 'o', color='tab:red', label=f'frame {peak}, {seconds[peak]:.2f} s')
    axis.set(xlabel='seconds', ylabel='distance to the nearest\ntypical frame', title=name, ylim=(0, None))
    axis.legend(frameon=False)
    axis.spines[['top', 'right']].set_visible(False)
    _save(figure, out)


def side_by_side(
    first: FrameReader, second: FrameReader, matches: Sequence[int] | np.ndarray, height: int = 240
) -> Iterator[np.ndarray]:
    """Yield every frame of the first video beside the matching frame of the second, both with their times.

    Args:
        first: Video whose pace is kept.
        second: Video that follows the first.
        matches: Frame of the second video for each frame of the first, ``(M,)``.
        height: Height of the frames in pixels.

    Yields:
        RGB images ``(H, W, 3)``, uint8, all of the same size.

    Raises:
        ValueError: If there is not one match per frame.
    """
    if len(matches) != len(first):
        raise ValueError(f'{first.path} has {len(first)} frames, but there are {len(matches)} matches')
    sizes = [_size(video.read(0), height) for video in (first, second)]
    shown, other = -1, np.empty(0)
    for number, match in enumerate(map(int, matches)):
        if match != shown:
            shown, other = match, _captioned(second, match, sizes[1])
        yield np.concatenate([_captioned(first, number, sizes[0]), other], axis=1)


def _size(frame: np.ndarray, height: int) -> tuple[int, int]:
    """Return width and height of a frame at the given height; the width is even, as encoders require."""
    return max(round(frame.shape[1] * height / frame.shape[0] / 2), 1) * 2, height


def _captioned(video: FrameReader, number: int, size: tuple[int, int]) -> np.ndarray:
    """Read and resize a frame, and write its time and the video's name below it."""
    frame = cv2.resize(video.read(number), size, interpolation=cv2.INTER_AREA)
    frame = cv2.copyMakeBorder(frame, 0, _CAPTION, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    text = f'{video.times()[number]:.2f} s  {video.path.stem}'
    place = (4, size[1] + _CAPTION - 7)
    return cv2.putText(frame, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)


def _add_strip(figure: Any, cells: Any, frames: Sequence[np.ndarray]) -> None:
    for cell, frame in zip(cells, frames, strict=True):
        axis = figure.add_subplot(cell)
        axis.imshow(cv2.resize(frame, _size(frame, 96), interpolation=cv2.INTER_AREA))
        axis.axis('off')


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    return pyplot


def _save(figure: Any, out: str | Path) -> None:
    write_atomically(out, lambda name: figure.savefig(name, dpi=110))
    _pyplot().close(figure)
