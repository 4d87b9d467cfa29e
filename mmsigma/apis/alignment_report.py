"""Page of two aligned videos."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmsigma.apis.video_aligner import Aligned, Way
from mmsigma.visualization.charts import line_chart
from mmsigma.visualization.report import Page

_NOTES = {
    'side_by_side.mp4': 'the second video at the pace of the first; without sound',
    'alignment.png': 'cost of matching any two frames, and the path',
    'anomaly.png': 'distance of each frame of the first video to the nearest of typical videos',
    'activation_first.mp4': 'where the network responds in the first video',
    'activation_second.mp4': 'where the network responds in the second video',
}


def write_alignment_report(
    out: str | Path, aligned: Aligned, how: Way, files: Sequence[Path], facts: Mapping[str, Any] | None = None
) -> Path:
    """Write ``<out>/report.html`` on an alignment whose other results are in the same folder.

    Args:
        out: Folder of the results.
        aligned: Alignment.
        how: How frames are matched, see :meth:`Aligned.pairs`.
        files: Files of the results, which are shown if they are pictures or videos, and linked otherwise.
        facts: What was run, by name.

    Returns:
        Path of the page.
    """
    names = [video.name for video in (aligned.first, aligned.second)]
    first, second = (video.seconds() for video in (aligned.first, aligned.second))
    page = Page(f'{names[0]} and {names[1]}', out)
    lengths = [
        f'{name}, {len(times)} frames, {times[-1]:.2f} s' for name, times in zip(names, (first, second), strict=True)
    ]
    numbers = {'matched by': how, 'mean cost of a step': f'{aligned.mean_cost:.4f}'}
    page.facts({**(facts or {}), 'first video': lengths[0], 'second video': lengths[1], **numbers})
    page.links({path.name: path for path in files})
    shown = sorted((path for path in files if path.name in _NOTES), key=lambda path: list(_NOTES).index(path.name))
    for path in shown:
        page.figure(path, path.name, _NOTES[path.name])
    matched = second[np.asarray(aligned.matches(how))]
    chart = line_chart({how: (first, matched)}, xlabel=f'seconds of {names[0]}', ylabel=f'seconds of {names[1]}')
    page.chart(chart, 'times that belong together')
    return page.write()
