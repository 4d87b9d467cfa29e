"""Where the elements of FineGym are in the videos of YouTube."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmsigma.utils.checkpoint import write_atomically


class Element(NamedTuple):
    """An element of gymnastics in a whole video.

    Attributes:
        video: YouTube id.
        start: Seconds from the start of the video.
        end: Likewise.
    """

    video: str
    start: float
    end: float


def read_finegym(path: str | Path) -> dict[str, Element]:
    """Read the JSON annotation of FineGym: events of videos, and elements of events, if they have any.

    Times of elements count from the start of their event. An element of several stages, as those of vault are, lasts
    from the start of its first to the end of its last.

    Args:
        path: ``finegym_annotation_info_v1.0.json`` or a later version.

    Returns:
        Elements by the names that the lists have for them, ``<video>_E_<start>_<end>_A_<start>_<end>``.

    Raises:
        ValueError: If the file has another form, or an element or event ends before it starts; it is named.
    """
    elements, name = {}, str(path)
    try:
        for video, events in json.loads(Path(path).read_text(encoding='utf-8')).items():
            for event, content in events.items():
                name = f'{video}_{event}'
                begin, _ = _interval(content['timestamps'])
                for segment, stages in (content.get('segments') or {}).items():
                    name = f'{video}_{event}_{segment}'
                    start, end = _interval(stages['timestamps'])
                    elements[name] = Element(video, begin + start, begin + end)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f'{path} is not the annotation of FineGym: {name}: {error}') from error
    return elements


def _interval(stages: Sequence[Sequence[float]]) -> tuple[float, float]:
    start, end = float(stages[0][0]), float(stages[-1][1])
    if not 0 <= start < end:
        raise ValueError(f'it lasts from {start:g} to {end:g}')
    return start, end


def write_cuts(path: Path, names: Sequence[str], elements: dict[str, Element]) -> list[str]:
    """Write a CSV of where the named elements are, to cut them out with a tool of one's own.

    Args:
        path: The file; its columns are name, video, start and end.
        names: Which elements.
        elements: All, by name.

    Returns:
        The names that are none of the elements.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['name', *Element._fields])
    for name in names:
        if element := elements.get(name):
            writer.writerow([name, element.video, f'{element.start:.3f}', f'{element.end:.3f}'])
    write_atomically(path, lambda temporary: Path(temporary).write_text(buffer.getvalue(), encoding='utf-8'))
    return [name for name in names if name not in elements]
