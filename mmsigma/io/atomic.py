"""Atomic writing of files, and the folders that they go to."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_atomically(path: str | Path, write: Callable[[str], Any]) -> None:
    """Write a file through a temporary one beside it, which replaces it once the last byte has reached the disk.

    Args:
        path: File to write; its folder is created if necessary.
        write: Function that is called with the name of the temporary file and writes to it.

    Raises:
        OSError: Whatever ``write`` raises, for instance on a full disk; ``path`` is then left unchanged. As of
            :func:`make_folder`.
    """
    path = Path(path)
    make_folder(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix=path.suffix)
    os.close(handle)
    try:
        write(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        replace_durably(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_folder(path: str | Path) -> None:
    """Make a folder, and those that it is in, unless they exist.

    Raises:
        NotADirectoryError: If one of these is a file.
        OSError: If a folder cannot be made.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(place for place in (path, *path.parents) if place.exists() or place.is_symlink())
        raise NotADirectoryError(
            f'{file} is not a folder, so that nothing can be written to it: choose another'
        ) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a text in UTF-8; see :func:`write_atomically`."""
    write_atomically(path, lambda name: Path(name).write_text(text, encoding='utf-8'))


def replace_durably(temporary: str | Path, path: str | Path) -> None:
    """Move a complete file to its final name in the same folder, so that a power cut leaves the old one or the new one.

    Both the file's content and the folder's entry are on the disk when this returns.
    """
    with open(temporary, 'rb+') as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(Path(path).parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
