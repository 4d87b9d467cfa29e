"""Reading of checkpoint files that may be damaged, or made to do harm."""

import hashlib
import re
import zipfile
from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file

_UNSAFE = re.compile(r'Unsupported (?:global|class)\S* (?:GLOBAL )?([\w.]+)')  # of torch's restricted unpickler

_BLOCKED = re.compile(r'unsupported (?:global|GLOBAL) ([\w.]+) whose module')  # of modules that run programs


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message says which one, why, and what to do."""


class DamagedError(CheckpointError):
    """A file whose content is not, or no longer, that of a checkpoint."""


def load_checkpoint_file(path: str | Path, *, trust: bool = False) -> Any:
    """Read a checkpoint to the CPU, such that files of unknown origin cannot execute code.

    The checksums in files of ``torch.save`` are verified, which torch itself does not do. Files of torch before 1.6 and
    ``.safetensors`` contain none.

    Args:
        path: A ``.safetensors`` file or a file written by ``torch.save``.
        trust: Whether to unpickle arbitrary objects. Official SIGMA and VideoMAE files contain an
            ``argparse.Namespace`` and require it; set it only for files whose origin you trust.

    Returns:
        Content of the file.

    Raises:
        FileNotFoundError: If there is no such file; the message lists those beside it.
        DamagedError: If the file is damaged.
        CheckpointError: If it contains objects that only a trusted load may create.
    """
    path = require_checkpoint(path)
    try:
        if path.suffix == '.safetensors':
            return load_file(path)
        _check_container(path)
        return torch.load(path, map_location='cpu', weights_only=not trust)
    except UnpicklingError as error:
        if blocked := _BLOCKED.search(str(error)):
            raise CheckpointError(
                f'{path} is made to execute {blocked[1]}, which no checkpoint needs: delete it'
            ) from error
        unsafe = _UNSAFE.search(str(error))
        if trust or unsafe is None:
            raise DamagedError(f'{path} is damaged or not a checkpoint: {_reason(error)}') from error
        raise CheckpointError(
            f'{path} contains more than tensors and plain containers ({unsafe[1]}), and loading it could execute code. '
            f'If you trust its origin, convert it once: python tools/model_converters/convert_sigma.py {path} OUT.pth '
            '--trust'
        ) from error
    except Exception as error:  # whatever a damaged file may cause
        raise DamagedError(f'{path} is damaged or not a checkpoint: {_reason(error)}') from error


def require_checkpoint(path: str | Path) -> Path:
    """Return the path of a checkpoint, with ``~`` replaced.

    Raises:
        FileNotFoundError: If there is no such file; the message names the most similar one, and lists those beside it.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise FileNotFoundError(f'{path} is a folder, not a checkpoint file{_inside(path)}')
    if not path.is_file():
        raise FileNotFoundError(f'no checkpoint at {path}{_files_beside(path)}')
    return path


def sha256_of(path: str | Path | None) -> str:
    """Return the SHA-256 of a file's content, or the name itself if there is no such file, as with a model's name."""
    if path is None or not Path(path).is_file():
        return str(path)
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def peek(path: str | Path) -> Any:
    """Read a file of ``torch.save`` without its tensors' values, which are only mapped into memory.

    Raises:
        DamagedError: If even that fails; checksums are not verified.
    """
    try:
        return torch.load(path, map_location='cpu', weights_only=True, mmap=True)
    except Exception as error:  # whatever a damaged file may cause
        raise DamagedError(f'{path} is damaged or not a checkpoint: {_reason(error)}') from error


def _check_container(path: Path) -> None:
    """Check what can be known of a file of ``torch.save`` before torch takes memory for it.

    Raises:
        ValueError: If it is neither an archive nor a pickle, an entry has another checksum than when it was written, or
            its entries are compressed or declare more bytes than the file has, which ``torch.save`` never writes.
        zipfile.BadZipFile: If the archive is damaged.
    """
    with path.open('rb') as file:
        start = file.read(4)
    if start[:2] == b'\x80\x02' and len(start) == 4:
        return  # a pickle of torch before 1.6, which contains no checksums
    if start != b'PK\x03\x04':
        raise ValueError('it does not begin like a file of torch.save')
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        declared, size = sum(entry.file_size for entry in entries), path.stat().st_size
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or declared > size:
            raise ValueError(f'its entries are compressed or declare {declared} bytes, while the file has {size}')
        if (bad := archive.testzip()) is not None:
            raise ValueError(f'the checksum of its entry {bad} is wrong: the file has changed since it was written')


def _files_beside(path: Path) -> str:
    """Describe which checkpoints a folder contains instead of the one that was named."""
    if not path.parent.is_dir():
        return f': there is no folder {path.parent}'
    names = _checkpoints_in(path.parent)
    near = get_close_matches(path.name, names, n=1, cutoff=0.7) if len(names) > 1 else []
    question = f'; did you mean {near[0]}?' if near else ''
    return f': {path.parent} contains {_listed(names)}{question}'


def _inside(folder: Path) -> str:
    names = _checkpoints_in(folder)
    return f': it contains {_listed(names)}' if names else ''


def _checkpoints_in(folder: Path) -> list[str]:
    """Return the names of the checkpoints in a folder, newest first."""
    found = [other for suffix in ('*.pth', '*.pt', '*.safetensors') for other in folder.glob(suffix)]
    found = [other for other in found if other.is_file() and not other.name.startswith('.')]
    return [other.name for other in sorted(found, key=lambda other: other.stat().st_mtime, reverse=True)]


def _listed(names: list[str]) -> str:
    more = f' and {len(names) - 8} more' if len(names) > 8 else ''
    return ', '.join(names[:8]) + more if names else 'no checkpoints'


def _reason(error: BaseException) -> str:
    """Return the first line of an error's message, which torch follows with advice to load the file unsafely."""
    text = str(error).strip()
    if isinstance(error, UnpicklingError):
        text = text.partition('WeightsUnpickler error:')[2].strip() or 'its pickle cannot be read'
    return text.splitlines()[0] if text else type(error).__name__
