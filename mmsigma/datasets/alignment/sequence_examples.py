"""Videos in records of TensorFlow, as TCC and GTA distribute them: JPEG frames, and a phase for each."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsigma.io.atomic import write_atomically
from mmsigma.io.tensorflow.tfrecord import SequenceExample, read_sequence_examples

_KINDS = ((b'\xff\xd8', '.jpg'), (b'\x89PNG', '.png'))


class UnpackedVideo(NamedTuple):
    """A video of a record.

    Attributes:
        name: Of its folder.
        num_frames: Its length.
        phases: Of the frames (L,), or None.
    """

    name: str
    num_frames: int
    phases: np.ndarray | None


def unpack_videos(
    path: Path, folder: Path, seen: dict[str, str], prefix: str = '', nameless: str = ''
) -> Iterator[UnpackedVideo]:
    """Write the pictures of each record of a file to ``<folder>/<prefix><name>/000001.jpg`` ..., as they are.

    Folders appear when they are complete. Those that are there with as many pictures are left as they are.

    Args:
        path: TFRecord file of SequenceExamples with the context ``name``, the list ``video`` of encoded pictures, and
            perhaps ``frame_labels``.
        folder: Where to.
        seen: File and record of each video so far, by name; added to. One for all files that are unpacked to a folder.
        prefix: Of the names of the folders.
        nameless: Comes before the number of a record, which is the name of one that has none; differs between files.

    Raises:
        ValueError: If the file is damaged, a record has another form, or two videos have one name; they are named.
    """
    for number, example in enumerate(read_sequence_examples(path)):
        try:
            name, pictures, phases = _content(example)
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(f'{path}, record {number} is no video of TCC: {error}') from error
        name = f'{prefix}{name or f"{nameless}{number}"}'
        place = f'{path}, record {number}'
        if seen.setdefault(name, place) != place:
            raise ValueError(f'{place}: a second video called {name}, as that of {seen[name]}: leave one of them out')
        target = folder / name
        if not target.is_dir() or sum(1 for _ in target.iterdir()) != len(pictures):
            _write_pictures(target, pictures)
        yield UnpackedVideo(name, len(pictures), phases)


def _content(example: SequenceExample) -> tuple[str, list[bytes], np.ndarray | None]:
    title = example.context.get('name') or [b'']
    name = re.sub(r'[^\w.-]+', '_', title[0].decode() if isinstance(title[0], bytes) else str(title[0])).strip('._')
    if 'video' not in example.lists:
        raise KeyError(f'it has no list "video", but {sorted(example.lists)}')
    pictures = [bytes(step[0]) for step in example.lists['video']]  # type: ignore[arg-type]
    if not pictures or any(not picture.startswith(tuple(start for start, _ in _KINDS)) for picture in pictures):
        raise ValueError('frames are no JPEG or PNG pictures')
    phases = None
    if labels := example.lists.get('frame_labels'):
        phases = np.array([step[0] for step in labels], np.int64)
        if len(phases) != len(pictures):
            raise ValueError(f'{len(pictures)} frames and {len(phases)} labels')
    return name, pictures, phases


def _write_pictures(target: Path, pictures: list[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
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
    """Write phases (L,) as ``.npy``."""

    def write(name: str) -> None:
        with open(name, 'wb') as file:
            np.save(file, phases.astype(np.int64))

    write_atomically(path, write)
