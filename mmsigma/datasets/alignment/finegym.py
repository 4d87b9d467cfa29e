"""Temporal annotation of FineGym: positions of events and elements in the YouTube videos."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmsigma.io.atomic import write_text
from mmsigma.io.text import read_json


class Element(NamedTuple):
    """An element of gymnastics in a whole video.

    Attributes:
        video: YouTube id.
        start: Start in seconds from the start of the video.
        end: End in seconds from the start of the video.
    """

    video: str
    start: float
    end: float


class GymEvent(NamedTuple):
    """An event, that is, the routine of one gymnast on one apparatus, in a whole video.

    Attributes:
        video: YouTube id.
        start: Start in seconds from the start of the video.
        end: End in seconds from the start of the video.
        code: Number of the kind of event; 0 if unknown.
        elements: Start and end of each stage of each element, in seconds from the start of the event.
    """

    video: str
    start: float
    end: float
    code: int
    elements: dict[str, tuple[tuple[float, float], ...]]


def read_events(path: str | Path) -> dict[str, GymEvent]:
    """Read the JSON annotation of FineGym: events of videos, and elements of events that have any.

    Args:
        path: ``finegym_annotation_info_v1.0.json`` or a later version.

    Returns:
        Events by ``<video>_E_<start>_<end>``, with elements by ``<video>_E_<start>_<end>_A_<start>_<end>``.

    Raises:
        ValueError: If the file has another form, or an element or event ends before it starts; the message names it.
    """
    events, name = {}, str(path)
    try:
        for video, own in read_json(path).items():
            for event, content in own.items():
                name = event_name = f'{video}_{event}'
                (interval,) = _stages(content['timestamps'][:1])
                elements = {}
                for segment, stages in (content.get('segments') or {}).items():
                    name = f'{event_name}_{segment}'
                    elements[name] = _stages(stages['timestamps'])
                events[event_name] = GymEvent(video, *interval, int(content.get('event', 0)), elements)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f'{path} is not the annotation of FineGym: {name}: {error}') from error
    return events


def read_finegym(path: str | Path) -> dict[str, Element]:
    """Read the elements by their names in the lists, see :func:`read_events`.

    An element with several stages, as on the vault, lasts from the start of its first to the end of its last stage.
    """
    return {
        name: Element(event.video, event.start + stages[0][0], event.start + stages[-1][1])
        for event in read_events(path).values()
        for name, stages in event.elements.items()
    }


def _stages(timestamps: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """Convert the start and end times of stages, in seconds, after checking their order."""
    stages = tuple((float(start), float(end)) for start, end in timestamps)
    if not stages:
        raise ValueError('it has no timestamps')
    if not 0 <= stages[0][0] < stages[-1][1]:
        raise ValueError(f'it lasts from {stages[0][0]:g} to {stages[-1][1]:g}')
    return stages


def write_cuts(path: Path, names: Sequence[str], elements: dict[str, Element]) -> list[str]:
    """Write a CSV file of the positions of named elements, to cut them out with another tool.

    Args:
        path: File to write; its columns are name, video, start and end.
        names: Names of the elements to write.
        elements: All elements by name.

    Returns:
        Names that are not among the elements.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(['name', *Element._fields])
    for name in names:
        if element := elements.get(name):
            writer.writerow([name, element.video, f'{element.start:.3f}', f'{element.end:.3f}'])
    write_text(path, buffer.getvalue())
    return [name for name in names if name not in elements]
