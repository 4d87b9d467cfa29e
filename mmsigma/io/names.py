"""Names from data files as names of files: they never lead out of the folder that is written to."""

import re
from pathlib import Path, PurePath


def path_below(folder: str | Path, *names: str) -> Path:
    """Return the path of a file below a folder, given names that may come from a list, an annotation or a record.

    Args:
        folder: Folder that the file must be in.
        names: Names of folders and, last, of the file. A name may contain ``/`` for folders within.

    Raises:
        ValueError: If a name is empty, absolute, contains ``..`` or a character that no file name may contain; the
            message quotes it.
    """
    for name in names:
        parts = re.split(r'[/\\]', name)  # archives may be unpacked where a backslash separates folders
        absolute = name.startswith(('/', '\\')) or re.match('[A-Za-z]:[/\\\\]', name)
        if absolute or '..' in parts or '\0' in name or name.strip('/. ') == '':
            raise ValueError(
                f'the name {name!r} leads out of {folder}, or is no name of a file: rename it in the list or '
                'annotation that it comes from'
            )
    return Path(folder, *(PurePath(name) for name in names))
