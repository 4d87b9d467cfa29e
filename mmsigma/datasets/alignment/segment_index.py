"""Videos composed of segments of files, each with a label for its frames; an index is one JSON file per list.

The index is ``{"settings": {...}, "videos": [...]}``. The settings record how it was made and are not read. A video is
``{"path": "events/a.mp4", "name": "a", "label": 1, "segments": [[10, 42, 5], [90, 120, -1]]}``: frames 10 to 41 and
then 90 to 119 of a file, labelled 5 and -1 (background), of class 1.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmsigma.io.atomic import write_text
from mmsigma.io.text import read_json


class SegmentedVideo(NamedTuple):
    """A video of an index.

    Attributes:
        path: Path of its file.
        name: Name of the video; several videos may share a file.
        label: Class.
        segments: First frame, frame after the last, and frame label of each segment.
    """

    path: str
    name: str
    label: int
    segments: tuple[tuple[int, int, int], ...]

    @property
    def num_frames(self) -> int:
        """Number of frames in all segments."""
        return sum(stop - start for start, stop, _ in self.segments)

    def frames(self) -> np.ndarray:
        """Return the numbers of the frames in the file, ``(L,)``."""
        return np.concatenate([np.arange(start, stop) for start, stop, _ in self.segments])

    def labels(self) -> np.ndarray:
        """Return the labels of the frames, ``(L,)``, int64."""
        values, lengths = zip(*((label, stop - start) for start, stop, label in self.segments), strict=True)
        return np.repeat(np.array(values, np.int64), lengths)


def write_segment_index(path: str | Path, videos: Sequence[SegmentedVideo], settings: Mapping[str, Any]) -> None:
    """Write an index, one line per video."""
    rows = ',\n'.join(json.dumps(video._asdict()) for video in videos)
    text = f'{{"settings": {json.dumps(settings, indent=1)},\n"videos": [\n{rows}\n]}}\n'
    write_text(path, text)


def read_segment_index(path: str | Path) -> list[SegmentedVideo]:
    """Read the videos of an index.

    Raises:
        ValueError: If the file is not an index, or a video has no frames; the message names it.
    """
    name = ''
    try:
        videos = []
        for entry in read_json(path)['videos']:
            name = f', video {entry["name"]}'
            segments = tuple((int(start), int(stop), int(label)) for start, stop, label in entry['segments'])
            if not segments or any(not 0 <= start < stop for start, stop, _ in segments):
                raise ValueError(f'segments {list(segments)[:3]} must have at least one frame each')
            videos.append(SegmentedVideo(entry['path'], entry['name'], int(entry['label']), segments))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}{name} is not an index of video segments: {error!r}') from error
    if not videos:
        raise ValueError(f'{path} has no videos')
    return videos
