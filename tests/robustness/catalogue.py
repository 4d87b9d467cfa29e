"""All generated videos, and how each way of reading fares with them."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av

from tests.robustness import damage, streams, videos
from tests.robustness.contract import Reader, expected_of
from tests.robustness.videos import Case

GENERATORS = (
    videos.formats,
    videos.times,
    videos.edits,
    videos.groups,
    videos.pictures,
    videos.orientations,
    streams.streams,
    streams.names,
    streams.no_videos,
    damage.damaged,
)


class Outcome(NamedTuple):
    """How a way of reading fared with a video; ``result`` begins with WRONG if the contract was broken."""

    case: Case
    result: str


def all_cases() -> Iterator[Case]:
    """All videos; names are unique within a kind."""
    for generate in GENERATORS:
        yield from generate()


def cases_by_kind() -> dict[str, list[Case]]:
    """All videos by kind."""
    found: dict[str, list[Case]] = defaultdict(list)
    for case in all_cases():
        found[case.kind].append(case)
    return dict(found)


def written(cases: Iterable[Case], folder: Path) -> Iterator[tuple[Case, Path]]:
    """Write videos, each to a folder of its own."""
    av.logging.set_level(None)
    os.environ['SVT_LOG'] = '0'
    logging.getLogger('libav').setLevel(logging.CRITICAL)
    for number, case in enumerate(cases):
        place = folder / f'{number:03d}'
        place.mkdir(parents=True, exist_ok=True)
        path = place / case.name
        if not os.path.lexists(path):
            case.make(path)
        yield case, path


def outcomes(name: str, cases: Iterable[Case], folder: Path, reader: Reader) -> Iterator[Outcome]:
    """Read videos in one way."""
    for case, path in written(cases, folder):
        yield Outcome(case, reader.check(name, expected_of(path, case.shown, case.is_video, case.kind)))
