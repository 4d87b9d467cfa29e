"""HTML report of video object segmentation: how the objects of each video were segmented, worst videos first."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from mmsigma.io.atomic import write_atomically
from mmsigma.io.names import path_below
from mmsigma.visualization.masked_video import mosaic, write_picture
from mmsigma.visualization.overlay import draw_masks

_STYLE = """
body { font-family: sans-serif; margin: 2em auto; max-width: 80em; color: #222 }
table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: right }
td:first-child, th:first-child { text-align: left }
figure { margin: 1.5em 0 } img { max-width: 100% } figcaption { margin-bottom: .3em }
"""


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


def write_report(
    out_dir: str | Path, videos: Sequence[str], scores: Mapping[str, Sequence[float]], metrics: Mapping[str, float]
) -> Path:
    """Write ``<out_dir>/report.html`` with the strips from :func:`write_strip`.

    Args:
        out_dir: Folder of the results.
        videos: Names of all videos.
        scores: J&F, J and F of the scored videos, the worst first.
        metrics: Metrics over all videos.

    Returns:
        Path of the page.
    """
    rows = ''.join(f'<tr><td>{html.escape(name)}</td><td>{value:.1f}</td></tr>' for name, value in metrics.items())
    order = [*scores, *(name for name in videos if name not in scores)]
    figures = []
    for name in order:
        numbers = 'J&F {:.1f}, J {:.1f}, F {:.1f}'.format(*scores[name]) if name in scores else 'not scored'
        caption = f'<b>{html.escape(name)}</b> {html.escape(numbers)}'
        source = quote(f'report/{name}.jpg')
        figures.append(f'<figure><figcaption>{caption}</figcaption><img src="{source}" loading="lazy"></figure>')
    page = (
        f'<!doctype html><meta charset="utf-8"><title>Segmentation</title><style>{_STYLE}</style>'
        f'<h1>{len(order)} videos</h1><table>{rows}</table>'
        '<p>First row of each image: prediction. Second row: annotation. Worst videos first.</p>' + '\n'.join(figures)
    )
    path = Path(out_dir, 'report.html')
    write_atomically(path, lambda name: Path(name).write_text(page, encoding='utf-8'))
    return path
