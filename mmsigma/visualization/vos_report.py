"""HTML report of video object segmentation: how the objects of each video were segmented, worst videos first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmsigma.io.names import path_below
from mmsigma.io.video import write_playable
from mmsigma.visualization.charts import line_chart
from mmsigma.visualization.masked_video import mosaic, write_picture
from mmsigma.visualization.overlay import draw_masks
from mmsigma.visualization.report import Page

Curves = Mapping[int, tuple[Sequence[int], Sequence[float]]]
"""Frame numbers and scores in them, by object."""


def draw_strip(sequence: Any, masks: np.ndarray, num_frames: int = 5, height: int = 160) -> np.ndarray:
    """Draw evenly spread frames of a video with predicted masks and, if annotated, a second row with true masks.

    Frames without annotation are shown without masks in the second row.

    Args:
        sequence: Video, a :class:`mmsigma.datasets.vos.sequences.VOSSequence`.
        masks: Predicted ids ``(T, H, W)``.
        num_frames: Number of frames to show.
        height: Height of the frames in pixels.

    Returns:
        RGB image ``(H, W, 3)``, uint8.
    """
    numbers = np.unique(np.linspace(0, len(masks) - 1, num_frames).round().astype(int)).tolist()
    frames = {number: sequence.read_frame(number) for number in numbers}
    rows = [[draw_masks(frames[number], masks[number]) for number in numbers]]
    if len(sequence.masks) > 1:
        truth = {number: sequence.read_mask(number) for number in numbers if number in sequence.masks}
        rows.append([draw_masks(frames[n], truth[n]) if n in truth else frames[n] for n in numbers])
    scale = height / masks.shape[1]
    size = (max(round(masks.shape[2] * scale), 1), height)
    return mosaic([[cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in row] for row in rows])


def write_strip(out_dir: str | Path, sequence: Any, masks: np.ndarray) -> Path:
    """Write the strip of a video below ``out_dir`` and return its path.

    Raises:
        ValueError: If the name of the video leads out of the folder.
    """
    path = path_below(Path(out_dir, 'report'), f'{sequence.name}.jpg')
    write_picture(path, draw_strip(sequence, masks))
    return path


def write_overlay(out_dir: str | Path, sequence: Any, masks: np.ndarray, fps: float) -> Path:
    """Write a video with the predicted masks ``(T, H, W)`` drawn in below ``out_dir`` and return its path.

    Raises:
        ValueError: If the name of the video leads out of the folder.
    """
    path = path_below(Path(out_dir, 'report'), f'{sequence.name}.mp4')
    write_playable(path, (draw_masks(sequence.read_frame(n), mask) for n, mask in enumerate(masks)), fps)
    return path


def write_report(
    out_dir: str | Path,
    videos: Sequence[str],
    scores: Mapping[str, Sequence[float]],
    metrics: Mapping[str, float],
    *,
    curves: Mapping[str, Curves] | None = None,
    fps: float | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``<out_dir>/report.html`` with the strips from :func:`write_strip`, and videos where there are any.

    Args:
        out_dir: Folder of the results.
        videos: Names of all videos.
        scores: J&F, J and F of the scored videos, the worst first.
        metrics: Metrics over all videos.
        curves: J of the objects of each video over its frames, as fractions.
        fps: Frames per second of the videos, for axes in seconds; None for axes in frames.
        facts: What was run, by name.

    Returns:
        Path of the page.
    """
    page = Page('Video object segmentation', out_dir)
    page.facts({**(facts or {}), 'videos': len(videos), 'scored': len(scores)})
    page.table(('metric', 'value'), metrics.items())
    tables = {name: f'{name}.csv' for name in ('per_sequence', 'per_object', 'global')}
    page.links({text: file for text, file in tables.items() if Path(out_dir, file).is_file()})
    page.paragraph(
        'The worst videos come first. First row of each image: prediction. Second row, if there is one: annotation.'
    )
    for name in [*scores, *(name for name in videos if name not in scores)]:
        numbers = 'J&F {:.1f} %, J {:.1f} %, F {:.1f} %'.format(*scores[name]) if name in scores else 'not scored'
        page.figure(f'report/{name}.jpg', name, numbers)
        if curves and (lines := _lines(curves.get(name, {}), fps)):
            page.chart(
                line_chart(lines, xlabel='seconds' if fps else 'frame', ylabel='J, %', ylim=(0, 100)),
                'J over time',
                name,
            )
        if Path(out_dir, f'report/{name}.mp4').is_file():
            page.figure(f'report/{name}.mp4', 'overlay', name)
        page.links({'masks': f'{name}/'})
    return page.write()


def _lines(curves: Curves, fps: float | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    known = {number: pair for number, pair in curves.items() if len(pair[0])}
    return {
        f'object {number}': (np.asarray(frames) / (fps or 1), 100 * np.asarray(j))
        for number, (frames, j) in known.items()
    }
