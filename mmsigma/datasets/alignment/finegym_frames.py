"""Frame labels of FineGym: of single elements, of whole events, and of events in a common order (GTA, CVPR 2021).

Videos are segments of the clips of events, see :mod:`mmsigma.datasets.alignment.segment_index`, in one of three
layouts:

* ``clips``: each element is a video, with the same label for all of its frames.
* ``events``: each event is a video. Frames outside the elements of the list are background, -1; of an element with
  several stages, the last stage has its label (CARL).
* ``organised``: the elements of each event, ordered by set and, within a set, by time, so that all events of a kind
  have the same order (GTA's supplement, section 3).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsigma.datasets.alignment.finegym import GymEvent
from mmsigma.datasets.alignment.segment_index import SegmentedVideo
from mmsigma.io.text import read_json, read_text

FRAME_LAYOUTS = ('clips', 'events', 'organised')
EVENTS = ('VT', 'FX', 'BB', 'UB')  # events 1 to 4 of the annotation
GYM99_EVENTS = {'VT': range(6), 'FX': range(6, 41), 'BB': range(41, 74), 'UB': range(74, 99)}
"""Classes of Gym99 that belong to each event."""
EXTRA_STAGES = 2  # number of labels for the stages of an element before its last
Order = dict[str, dict[str, list[int]]]
"""Labels of each set, by event and set, in the order of the sets; the event '' stands for all others."""


class GymClip(NamedTuple):
    """Clip of an event.

    Attributes:
        path: Path of its file.
        fps: Frames per second.
        num_frames: Number of frames.
    """

    path: str
    fps: float
    num_frames: int

    def span(self, start: float, end: float) -> tuple[int, int]:
        """Return the first frame of a time span in seconds and the frame after its last, which is at ``end`` (CARL)."""
        return int(start * self.fps), min(int(end * self.fps) + 1, self.num_frames)


def event_of(name: str, event: GymEvent) -> str:
    """Return the kind of an event, one of ``EVENTS``.

    Raises:
        ValueError: If its number is not one of the four.
    """
    if not 1 <= event.code <= len(EVENTS):
        raise ValueError(f'{name} is of event {event.code}; known are 1 to {len(EVENTS)}, {", ".join(EVENTS)}')
    return EVENTS[event.code - 1]


def group_by_event(entries: Sequence[tuple[str, int]], events: Mapping[str, GymEvent]) -> dict[str, dict[str, int]]:
    """Group the elements of a list by event, as labels by name, all in temporal order; unknown names are left out."""
    place = {name: (event, number) for event in events for number, name in enumerate(_in_time(events[event]))}
    groups: dict[str, dict[str, int]] = {}
    for name, label in sorted((entry for entry in entries if entry[0] in place), key=lambda entry: place[entry[0]]):
        groups.setdefault(place[name][0], {})[name] = label
    return groups


def _in_time(event: GymEvent) -> list[str]:
    return sorted(event.elements, key=lambda name: event.elements[name][0])


def check_gym99(groups: Mapping[str, Mapping[str, int]], events: Mapping[str, GymEvent]) -> None:
    """Check that the class of each element belongs to the event it occurs in.

    Raises:
        ValueError: If an element has a class of another event; the message names it.
    """
    for name, elements in groups.items():
        kind = event_of(name, events[name])
        for element, label in elements.items():
            if label not in GYM99_EVENTS[kind]:
                raise ValueError(f'{element} has the label {label}, but its event is {kind}: not of Gym99')


def read_order(path: Path) -> Order:
    """Read the sets of each event in order, and the labels of each set.

    Args:
        path: JSON file ``{"FX": {"leaps": [6, 7], "turns": [8]}, ...}``, or FineGym's list of categories with lines
            ``Clabel: 6; set: 21; ...``, whose sets are ordered by number.

    Raises:
        ValueError: If it is neither, or a label belongs to two sets.
    """
    try:
        if path.suffix == '.json':
            order: Order = {
                event: {str(name): [int(label) for label in labels] for name, labels in sets.items()}
                for event, sets in read_json(path).items()
            }
        else:
            order = {'': {}}
            for label, number in sorted(
                re.findall(r'Clabel:\s*(\d+)\s*;\s*set:\s*(\d+)', read_text(path)), key=lambda m: int(m[1])
            ):
                order[''].setdefault(number, []).append(int(label))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} has no order of sets, {{"FX": {{"leaps": [6, 7]}}}}: {error}') from error
    labels = [label for sets in order.values() for own in sets.values() for label in own]
    if not labels or len(labels) != len(set(labels)):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise ValueError(
            f'{path} has no order of sets: labels {twice[:5]} have two' if twice else f'{path} has no sets'
        )
    return order


def complete_order(order: Order, groups: Mapping[str, Mapping[str, int]], events: Mapping[str, GymEvent]) -> Order:
    """Restrict an order to the sets that occur in the list, and add one set for events without an order.

    Raises:
        ValueError: If an event with an order has a label that belongs to no set; the message names it.
    """
    labels: dict[str, set[int]] = {}
    for name, elements in groups.items():
        labels.setdefault(event_of(name, events[name]), set()).update(elements.values())
    complete: Order = {}
    for event in sorted(labels, key=EVENTS.index):
        sets = order.get(event) or order.get('') or {'all': sorted(labels[event])}
        complete[event] = {name: own for name, own in sets.items() if labels[event] & set(own)}
        if lost := sorted(labels[event] - {label for own in complete[event].values() for label in own}):
            raise ValueError(f'the order of sets lacks the labels {lost} of {event}')
    return complete


def element_segments(
    clip: GymClip, stages: Sequence[tuple[float, float]], label: int, extra: int | None
) -> list[tuple[int, int, int]]:
    """Return the segments of an element; none if the clip ends before it.

    Args:
        clip: Clip of its event.
        stages: Start and end of its stages, in seconds from the start of the event.
        label: Label of the last stage.
        extra: Label of the first stage; the next label is that of the stages between the first and the last. None
            makes all stages before the last background.

    Returns:
        First frame, frame after the last, and label of each segment.
    """
    first, stop = clip.span(stages[0][0], stages[-1][1])
    if first >= stop:
        return []
    labels = np.full(stop - first, -1)
    for number, stage in enumerate(stages):
        start, end = clip.span(*stage)
        is_last = number == len(stages) - 1
        own = label if is_last else -1 if extra is None else extra + min(number, EXTRA_STAGES - 1)
        labels[max(start - first, 0) : max(end - first, 0)] = own
    return _runs(labels, first)


def _runs(labels: np.ndarray, first: int = 0) -> list[tuple[int, int, int]]:
    """Split labels ``(L,)`` of consecutive frames from ``first`` on into segments of equal label."""
    edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), len(labels)]
    return [(first + a, first + b, int(labels[a])) for a, b in zip(edges, edges[1:], strict=False)]


def clip_videos(event: GymEvent, elements: Mapping[str, int], clip: GymClip) -> Iterator[SegmentedVideo]:
    """Yield the videos of an event in the layout ``clips``."""
    for element, label in elements.items():
        stages = event.elements[element]
        first, stop = clip.span(stages[0][0], stages[-1][1])
        if first < stop:
            yield SegmentedVideo(clip.path, element, label, ((first, stop, label),))


def event_video(name: str, event: GymEvent, elements: Mapping[str, int], clip: GymClip) -> SegmentedVideo:
    """Return the video of an event in the layout ``events``."""
    labels = np.full(clip.num_frames, -1)
    for element, label in elements.items():
        first, stop = clip.span(*event.elements[element][-1])
        labels[first:stop] = label
    return SegmentedVideo(clip.path, name, EVENTS.index(event_of(name, event)), tuple(_runs(labels)))


def organised_video(
    name: str,
    event: GymEvent,
    elements: Mapping[str, int],
    clip: GymClip,
    *,
    sets: Mapping[str, Sequence[int]],
    extra: int | None = None,
    drop_incomplete: bool = False,
) -> SegmentedVideo | None:
    """Return the video of an event in the layout ``organised``.

    Args:
        name: Name of the event.
        event: Annotation of the event.
        elements: Labels of its elements, in temporal order.
        clip: Clip of the event.
        sets: Labels of each set, in the order of the sets.
        extra: Label of the first stage, see :func:`element_segments`.
        drop_incomplete: Whether to drop events that lack a set.

    Returns:
        The video, or None if the event is dropped or has no elements within its clip.
    """
    places = {label: place for place, labels in enumerate(sets.values()) for label in labels}
    segments = {key: element_segments(clip, event.elements[key], label, extra) for key, label in elements.items()}
    there = {key: label for key, label in elements.items() if segments[key]}
    if not there or (drop_incomplete and {places[label] for label in there.values()} != set(range(len(sets)))):
        return None
    ordered = sorted(there, key=lambda key: places[there[key]])  # stable: by time within a set
    kind = EVENTS.index(event_of(name, event))
    return SegmentedVideo(clip.path, name, kind, tuple(segment for key in ordered for segment in segments[key]))
