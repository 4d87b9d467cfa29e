"""Videos in records of TensorFlow, as TCC and GTA distribute them: JPEG frames, and a phase for each."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmsigma.utils.checkpoint import write_atomically
from mmsigma.utils.tfrecord import SequenceExample, read_sequence_examples

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


def unpack_videos(path: Path, folder: Path, prefix: str = '') -> Iterator[UnpackedVideo]:
    """Write the pictures of each record of a file to ``<folder>/<prefix><name>/000001.jpg`` ..., as they are.

    Folders appear when they are complete. Those that are there with as many pictures are left as they are.

    Args:
        path: TFRecord file of SequenceExamples with the context ``name``, the list ``video`` of encoded pictures, and
            perhaps ``frame_labels``.
        folder: Where to.
        prefix: Of the names of the folders.

    Raises:
        ValueError: If the file is damaged, or a record has another form; it is named.
    """
    seen = set()
    for number, example in enumerate(read_sequence_examples(path)):
        try:
            name, pictures, phases = _content(example, number)
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(f'{path}, record {number} is no video of TCC: {error}') from error
        name = f'{prefix}{name}'
        if name in seen:
            raise ValueError(f'{path}, record {number}: a second video called {name}')
        seen.add(name)
        target = folder / name
        if not target.is_dir() or sum(1 for _ in target.iterdir()) != len(pictures):
            _write_pictures(target, pictures)
        yield UnpackedVideo(name, len(pictures), phases)


def _content(example: SequenceExample, number: int) -> tuple[str, list[bytes], np.ndarray | None]:
    title = example.context.get('name') or [str(number).encode()]
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
    return name or str(number), pictures, phases


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
