"""Names of videos, by which metrics keep their results."""

from typing import Any


def check_name(places: dict[str, str], sequence: Any) -> None:
    """Check that a video has not the name of another one: they would be scored as one, and one's files be overwritten.

    Args:
        places: Folder of the frames of each video so far, by name; the video is added.
        sequence: Video with ``name`` and, if it consists of files, ``frames``.

    Raises:
        ValueError: If another video has its name; the message names both.
    """
    frames = getattr(sequence, 'frames', ())
    place = str(frames[0].parent) if frames else ''
    if (other := places.setdefault(sequence.name, place)) != place:
        raise ValueError(
            f'{other} and {place} are both called {sequence.name!r}, by which results are kept: rename one of them, or '
            'evaluate them in two runs'
        )
