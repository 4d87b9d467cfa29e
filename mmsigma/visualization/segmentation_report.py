"""HTML report of unsupervised segmentation: masks and clusters of each clip below each other, the worst clips first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmsigma.io.masks import davis_palette
from mmsigma.io.names import path_below
from mmsigma.visualization.fed_samples import evenly_spread
from mmsigma.visualization.labelled_grid import Row, labelled_grid
from mmsigma.visualization.masked_video import write_picture
from mmsigma.visualization.report import Page

MOST_CLIPS = 40  # on the page


class ScoredClip(NamedTuple):
    """A clip on the page.

    Attributes:
        picture: File that :func:`write_cluster_picture` has written, relative to the folder of the page.
        name: Name of its video.
        scores: Mean IoU in percent, by what was clustered.
    """

    picture: str
    name: str
    scores: Mapping[str, float]


def cluster_picture_name(video: str, frames: Sequence[int]) -> str:
    """Return the file of a clip's picture, relative to the folder of the page."""
    return f'segmentation/{video}_{frames[0] if len(frames) else 0}.png'


def write_cluster_picture(
    out: str | Path, video: str, frames: Sequence[int], masks: np.ndarray, runs: Mapping[str, np.ndarray]
) -> Path:
    """Draw masks and cluster maps of a clip below each other, in evenly spread frames.

    Args:
        out: Folder of the page.
        video: Name of the video.
        frames: Frame numbers.
        masks: Annotated ids, ``(T, H, W)``, uint8.
        runs: Cluster maps ``(T, h, w)`` by their title, whose colours mean nothing.

    Returns:
        Path of the picture.

    Raises:
        ValueError: If the name of the video leads out of the folder.
    """
    palette, places = davis_palette(), evenly_spread(len(masks), 6)
    captions = [f'frame {frames[place]}' for place in places]
    rows = [Row('masks', [palette[masks[place]] for place in places], captions)]
    for title, maps in runs.items():
        # clusters begin with the first colour after the background's black
        rows.append(Row(title, [palette[1 + maps[place].astype(int) % 255] for place in places]))
    path = path_below(out, cluster_picture_name(video, frames))
    write_picture(path, labelled_grid(rows, video))
    return path


def write_segmentation_report(
    out: str | Path,
    scores: Mapping[str, tuple[float, float]],
    floor: float,
    clips: Sequence[ScoredClip],
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``<out>/report.html``.

    Args:
        out: Folder of the page.
        scores: Mean IoU and its deviation over the seeds of k-means, in percent, by what was clustered.
        floor: Mean IoU in percent of a prediction that is background everywhere.
        clips: Scored clips.
        facts: What was run, by name.

    Returns:
        Path of the page.
    """
    page = Page('Unsupervised segmentation', out)
    page.facts({**(facts or {}), 'clips': len(clips)})
    rows = [(title, mean, deviation) for title, (mean, deviation) in scores.items()]
    page.table(('clusters', 'mean IoU, %', 'deviation over seeds'), [*rows, ('all background', floor, '')])
    page.links({'all clips': 'unsupervised_segmentation.csv'})
    page.paragraph(
        f'The clips with the lowest mean IoU come first, {min(MOST_CLIPS, len(clips))} of {len(clips)}. First row of '
        'each picture: annotated masks. Below: clusters of the first seed, whose colours have no meaning of their own.'
    )
    for clip in sorted(clips, key=lambda one: next(iter(one.scores.values())))[:MOST_CLIPS]:
        note = ', '.join(f'{title} {score:.1f} %' for title, score in clip.scores.items())
        page.figure(clip.picture, clip.name, note)
    return page.write()
