"""Atomic writing of files."""

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
        OSError: Whatever ``write`` raises, for instance on a full disk; ``path`` is then left unchanged.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.', suffix=path.suffix)
    os.close(handle)
    try:
        write(temporary)
        with open(temporary, 'rb+') as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
