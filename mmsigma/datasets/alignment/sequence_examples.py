"""Unpacking of the TFRecords in which TCC and GTA distribute videos: JPEG frames with an optional phase for each."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsigma.io.atomic import make_folder, write_atomically
from mmsigma.io.names import path_below
from mmsigma.io.tensorflow.tfrecord import SequenceExample, read_sequence_examples

_KINDS = ((b'\xff\xd8', '.jpg'), (b'\x89PNG', '.png'))  # first bytes of a file and its suffix


class UnpackedVideo(NamedTuple):
    """A video that was unpacked from a record.

    Attributes:
        name: Name of its folder.
        num_frames: Number of frames.
        phases: Phases of the frames, ``(L,)``, or None.
    """

    name: str
    num_frames: int
    phases: np.ndarray | None


def unpack_videos(
    path: Path, folder: Path, seen: dict[str, str], prefix: str = '', nameless: str = ''
) -> Iterator[UnpackedVideo]:
    """Write the images of each record to ``<folder>/<prefix><name>/000001.jpg`` ..., without re-encoding.

    Folders appear only once they are complete. Existing folders with the right number of images are left alone.

    Args:
        path: TFRecord file of SequenceExamples with the context ``name``, the list ``video`` of encoded images, and
            optionally ``frame_labels``.
        folder: Folder to write to.
        seen: File and record of each video so far, by name; new videos are added. All files that are unpacked to the
            same folder must share one dict.
        prefix: Prefix of the folders' names.
        nameless: Prefix of the record number, which is the name of a record that has none; must differ between files.

    Yields:
        The videos in the order of the records.

    Raises:
        ValueError: If the file is damaged, a record has another form, or two videos have the same name; the message
            names them.
    """
    for number, example in enumerate(read_sequence_examples(path)):
        try:
            name, pictures, phases = _content(example)
        except (ValueError, IndexError) as error:
            raise ValueError(f'{path}, record {number} is not a video in the format of TCC: {error}') from error
        name = f'{prefix}{name or f"{nameless}{number}"}'
        place = f'{path}, record {number}'
        if seen.setdefault(name, place) != place:
            raise ValueError(
                f'{place}: the name {name} is already that of {seen[name]}: leave out one of the two videos'
            )
        target = path_below(folder, name)
        if not target.is_dir() or sum(1 for _ in target.iterdir()) != len(pictures):
            _write_pictures(target, pictures)
        yield UnpackedVideo(name, len(pictures), phases)


def _content(example: SequenceExample) -> tuple[str, list[bytes], np.ndarray | None]:
    """Return the name, which may be empty, the encoded images and the phases of a record."""
    title = example.context.get('name') or [b'']
    name = re.sub(r'[^\w.-]+', '_', title[0].decode() if isinstance(title[0], bytes) else str(title[0])).strip('._')
    if 'video' not in example.lists:
        raise ValueError(f'it has no list "video", only {sorted(example.lists)}')
    pictures = [bytes(step[0]) for step in example.lists['video']]  # type: ignore[arg-type]  # anything but bytes fails below
    if not pictures or any(not picture.startswith(tuple(start for start, _ in _KINDS)) for picture in pictures):
        raise ValueError('frames are not JPEG or PNG images')
    phases = None
    if labels := example.lists.get('frame_labels'):
        phases = np.array([step[0] for step in labels], np.int64)
        if len(phases) != len(pictures):
            raise ValueError(f'{len(pictures)} frames and {len(phases)} labels')
    return name, pictures, phases


def _write_pictures(target: Path, pictures: list[bytes]) -> None:
    make_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f'.{target.name}.') as temporary:
        new = Path(temporary, 'new')
        new.mkdir()
        for number, picture in enumerate(pictures, 1):
            suffix = next(suffix for start, suffix in _KINDS if picture.startswith(start))
            (new / f'{number:06d}{suffix}').write_bytes(picture)
        if target.exists():  # incomplete
            shutil.rmtree(target)
        new.rename(target)


def write_phases(path: Path, phases: np.ndarray) -> None:
    """Write phases ``(L,)`` as ``.npy``, atomically."""

    def write(name: str) -> None:
        with open(name, 'wb') as file:
            np.save(file, phases.astype(np.int64))

    write_atomically(path, write)
