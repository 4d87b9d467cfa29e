"""Locks of files, by which processes notice each other."""

import os
import socket
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]


class HeldError(ValueError):
    """A file is locked by another process; the message names it."""


def lock(path: str | Path) -> IO[str] | None:
    """Lock a file for this process, which ends with the process or when the returned file is closed.

    The lock is not inherited by processes that this one starts, and a process that is killed leaves none.

    Args:
        path: File, which is created if necessary.

    Returns:
        The file, to be kept open; None where the file system or the operating system knows no locks.

    Raises:
        HeldError: If another process has locked it.
        OSError: If the file cannot be written.
    """
    if fcntl is None:
        return None
    file = open(path, 'a+', encoding='utf-8')
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        file.seek(0)
        holder = file.read(200).strip() or 'another process'
        file.close()
        raise HeldError(f'{path} is locked by {holder}') from error
    except OSError:  # some network file systems have none
        file.close()
        return None
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
    file.flush()
    return file
