"""Images and videos of two temporally aligned videos, and curves of anomalous frames (GTA; TCC)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.io.video import FrameReader
from mmsigma.visualization.fonts import drawable, font_families
from mmsigma.visualization.labelled_grid import text_line

_BAR = 6  # pixels of the bar of time
_FIGURE = (8.0, 6.5)  # inches
# left, bottom, width and height in the figure: the matrix, and the frames of the first and of the second video
_MATRIX, _LEFT, _BELOW = (0.24, 0.27, 0.62, 0.69), (0.01, 0.27, 0.14, 0.69), (0.24, 0.01, 0.62, 0.14)
_ALONE = (0.1, 0.1, 0.76, 0.86)


def pick_frames(video: FrameReader, number: int = 6) -> list[np.ndarray]:
    """Read the middle frames of ``number`` equally long parts of a video, for :func:`draw_alignment`."""
    return [video.read(int((place + 0.5) * len(video) / number)) for place in range(number)]


def draw_alignment(
    cost: Tensor,
    path: tuple[Tensor, Tensor],
    out: str | Path,
    *,
    names: tuple[str, str] = ('first video', 'second video'),
    times: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    frames: tuple[Sequence[np.ndarray], Sequence[np.ndarray]] = ((), ()),
) -> None:
    """Draw the cost matrix of two videos, the first from top to bottom, with the path and frames along both sides.

    Args:
        cost: Cost of matching frames of both videos, ``(M, N)``.
        path: Matched frames of the first and of the second video, ``(P,)`` each.
        out: Image file to write.
        names: Names of the videos.
        times: Time of every frame of each video in seconds, ``(M,)`` and ``(N,)``; None for axes in frames.
        frames: Some RGB frames of each video, ``(H, W, 3)``, uint8, as from :func:`pick_frames`: each is drawn beside
            its place on the axis. Empty to draw the matrix alone.

    Raises:
        OSError: If the file cannot be written.
    """
    figure = _pyplot().figure(figsize=_FIGURE)
    place = _MATRIX if any(map(len, frames)) else _ALONE
    axis = figure.add_axes(place)
    picture = axis.imshow(cost.cpu().numpy(), aspect='auto', interpolation='nearest', cmap='viridis')
    axis.plot(path[1].cpu().numpy(), path[0].cpu().numpy(), color='white', linewidth=1.5)
    for side, label, name, moments in zip((axis.yaxis, axis.xaxis), ('first', 'second'), names, times, strict=True):
        side.set_label_text(f'{"frames" if moments is None else "seconds"} of {drawable(name or label)}')
        if moments is not None:
            side.set_ticks(*_seconds(moments))
    figure.colorbar(picture, cax=figure.add_axes((place[0] + place[2] + 0.02, place[1], 0.02, place[3])), label='cost')
    if len(frames[0]):
        _add_strip(figure, _LEFT, frames[0], len(cost), upright=True)
    if len(frames[1]):
        _add_strip(figure, _BELOW, frames[1], cost.shape[1], upright=False)
    _save(figure, out)


def _seconds(times: np.ndarray, most: int = 8) -> tuple[np.ndarray, list[str]]:
    """Return the places of round seconds between frames, in frames, and their labels; frame rates may vary."""
    from matplotlib.ticker import MaxNLocator

    marks = MaxNLocator(most, steps=[1, 2, 5, 10]).tick_values(float(times[0]), float(times[-1]))
    marks = marks[(marks >= times[0]) & (marks <= times[-1])]
    return np.interp(marks, times, np.arange(len(times))), [f'{mark:g}' for mark in marks]


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
    axis.set(xlabel='seconds', ylabel='distance to the nearest\ntypical frame', title=drawable(name), ylim=(0, None))
    axis.legend(frameon=False)
    axis.spines[['top', 'right']].set_visible(False)
    _save(figure, out)


def side_by_side(
    first: FrameReader, second: FrameReader, matches: Sequence[int] | np.ndarray, height: int = 240
) -> Iterator[np.ndarray]:
    """Yield every frame of the first video beside the matching frame of the second, above their times.

    Below each frame are the time in its video, in seconds, and a bar of how much of it has passed.

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
    """Read and resize a frame, and put its time, the video's name and a bar of the time below it."""
    frame = cv2.resize(video.read(number), size, interpolation=cv2.INTER_AREA)
    now, end = (float(video.times()[place]) for place in (number, -1))
    bar = np.full((_BAR, size[0], 3), 220, np.uint8)
    bar[:, : round(size[0] * (now / end if end else 1))] = (31, 119, 180)
    return np.concatenate([frame, text_line(f'{now:.2f} of {end:.2f} s  {video.path.stem}', size[0]), bar])


def _add_strip(
    figure: Any, place: tuple[float, ...], frames: Sequence[np.ndarray], length: int, *, upright: bool
) -> None:
    """Draw frames beside an axis of ``length`` frames, each centred at its number."""
    axis = figure.add_axes(place)
    sides = np.array([place[2] * _FIGURE[0], place[3] * _FIGURE[1]])  # inches
    room = sides * ((1, 0.94 / len(frames)) if upright else (0.94 / len(frames), 1))
    for number, frame in enumerate(frames):
        size = np.array(frame.shape[1::-1])
        half = size * (room / size).min() / sides / 2  # relative to the strip
        along = (int((number + 0.5) * length / len(frames)) + 0.5) / length
        x, y = (0.5, 1 - along) if upright else (along, 0.5)
        extent = (x - half[0], x + half[0], y - half[1], y + half[1])
        axis.imshow(cv2.resize(frame, _size(frame, 96), interpolation=cv2.INTER_AREA), extent=extent, aspect='auto')
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.axis('off')


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    pyplot.rcParams['font.family'] = font_families()
    return pyplot


def _save(figure: Any, out: str | Path) -> None:
    write_atomically(out, lambda name: figure.savefig(name, dpi=110))
    _pyplot().close(figure)
