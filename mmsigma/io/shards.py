"""Videos inside of tar files, such as those of WebDataset, which are read at random and never unpacked.

``shards/train-000012.tar/clips/a.mp4`` is the member ``clips/a.mp4`` of the file ``shards/train-000012.tar``. Where
members are is found out once, and noted beside the file, in ``train-000012.tar.index``, if the folder can be written
to.
"""

import io
import json
import os
import posixpath
import stat
import tarfile
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

from mmsigma.io.atomic import write_atomically, write_text
from mmsigma.io.text import read_json

SHARD_SUFFIX = '.tar'
INDEX_SUFFIX = '.index'
_INTO_SHARD = f'{SHARD_SUFFIX}/'


class ShardError(ValueError):
    """A file is no shard, or damaged, or has no such member."""


class MemberFile(io.RawIOBase):
    """A member of a shard as a file of its own.

    Attributes:
        name: Path of shard and member, by whose ending decoders may know the format.
    """

    def __init__(self, member: 'Member') -> None:
        super().__init__()
        self.name = str(member.shard / member.name)
        self._offset, self._size, self._place = member.offset, member.size, 0
        self._descriptor = os.open(member.shard, os.O_RDONLY | os.O_CLOEXEC)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the bytes that follow into a buffer, and return how many these are; 0 at the end."""
        with memoryview(buffer).cast('B') as view:
            count = max(0, min(len(view), self._size - self._place))
            found = os.preadv(self._descriptor, [view[:count]], self._offset + self._place) if count else 0
        self._place += found
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a place in the member, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f'{self.name}: there is no place {start + offset}')
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        """Return the place in the member."""
        return self._place

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            os.close(self._descriptor)
            self._descriptor = -1  # the number may become that of another file
        super().close()


class Member(NamedTuple):
    """A member of a shard.

    Attributes:
        shard: The shard.
        name: Name of the member.
        offset: Place of its first byte in the shard.
        size: Number of its bytes.
    """

    shard: Path
    name: str
    offset: int
    size: int

    def open(self) -> MemberFile:
        """Open it for reading."""
        return MemberFile(self)


class ShardIndex(NamedTuple):
    """Members of a shard.

    Attributes:
        members: Place and number of bytes of each member that is wholly there, by name.
        damage: What is wrong with the shard; empty if nothing is.
    """

    members: dict[str, tuple[int, int]]
    damage: str


def split_path(path: str | Path) -> tuple[Path, str] | None:
    """Return shard and member that a path names; None for a path of the file system, which may have folders ``*.tar``.

    Nothing is said about whether they exist.
    """
    text = os.fspath(path)
    end = -1
    while (end := text.find(_INTO_SHARD, end + 1)) >= 0:
        shard = text[: end + len(SHARD_SUFFIX)]
        if not os.path.isdir(shard):
            return Path(shard), text[end + len(_INTO_SHARD) :]
    return None


def find_member(path: str | Path) -> Member | None:
    """Find the member of a shard that a path names; None for a path of the file system.

    Raises:
        FileNotFoundError: If there is no such shard.
        ShardError: If it is no shard, or has no such member; the message names both.
    """
    split = split_path(path)
    if split is None:
        return None
    shard, name = split
    index = shard_index(shard)
    if name not in index.members:
        damage = f', and is damaged: {index.damage}; make or copy it anew' if index.damage else ''
        raise ShardError(f'{shard.name} has no member {name!r}{damage}')
    return Member(shard, name, *index.members[name])


def file_on_disk(path: str | Path) -> Path:
    """Return the file that a path is in: the shard of a member, or the path itself."""
    split = split_path(path)
    return split[0] if split else Path(path)


def exists(path: str | Path) -> bool:
    """Return whether there is a file, folder or member of a shard at a path."""
    try:
        return find_member(path) is not None or os.path.exists(path)
    except (OSError, ShardError):
        return False


def open_bytes(path: str | Path) -> IO[bytes]:
    """Open a file, or a member of a shard, for reading.

    Raises:
        OSError: If there is no such file.
        ShardError: See :func:`find_member`.
    """
    member = find_member(path)
    return open(path, 'rb') if member is None else io.BufferedReader(member.open(), 2**16)


def shard_index(shard: str | Path) -> ShardIndex:
    """Return the members of a shard: as noted beside it, or else by reading the headers, which are then noted.

    Raises:
        FileNotFoundError: If there is no such file.
        ShardError: If it is not an uncompressed tar file.
    """
    status = os.stat(shard)
    if not stat.S_ISREG(status.st_mode):
        raise ShardError(f'{Path(shard).name} is no file')
    return _index(os.fspath(shard), f'{status.st_size} {status.st_mtime_ns}')


@lru_cache(maxsize=128)  # 128,000 names of shards of a thousand videos take 30 MB
def _index(shard: str, stamp: str) -> ShardIndex:
    note = Path(f'{shard}{INDEX_SUFFIX}')
    try:
        noted = read_json(note)
        if noted['stamp'] == stamp:
            members = {str(name): (int(offset), int(size)) for name, (offset, size) in noted['members'].items()}
            return ShardIndex(members, str(noted['damage']))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # none, or not of this shard
    index = _read_headers(shard)
    try:
        text = json.dumps(dict(stamp=stamp, damage=index.damage, members=index.members))
        write_text(note, text)
    except OSError:
        pass  # a folder that is only read; this process keeps what it has found
    return index


def _read_headers(shard: str) -> ShardIndex:
    members: dict[str, tuple[int, int]] = {}
    damage = ''
    total = os.path.getsize(shard)
    with open(shard, 'rb') as file:
        try:
            archive = tarfile.open(fileobj=file, mode='r:')
        except (tarfile.TarError, EOFError) as error:
            raise ShardError(f'{os.path.basename(shard)} is not an uncompressed tar file ({error})') from error
        with archive:
            try:
                for info in archive:
                    if info.islnk() and (target := _plain(info.linkname)) in members:
                        members[_plain(info.name)] = members[target]
                    elif info.isreg() and not info.issparse() and info.offset_data + info.size <= total:
                        # of two of one name, the last one counts
                        members[_plain(info.name)] = info.offset_data, info.size
            except (tarfile.TarError, EOFError) as error:
                damage = str(error)
            file.seek(archive.offset)
            # tarfile takes a header that it cannot read for the end, which is a block of zeros
            if not damage and file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                damage = f'it breaks off after {len(members)} members'
    return ShardIndex(members, damage)


def _plain(name: str) -> str:
    """Return the name of a member as text that a list can hold.

    Without ``.`` and ``..``, by which a path could lead out of the shard to a file. A name that is not UTF-8, as in old
    archives, is read as Latin-1, in which every byte is a letter.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        name = name.encode(errors='surrogateescape').decode('latin-1')
    return posixpath.normpath(f'/{name}').lstrip('/')


class Packed(NamedTuple):
    """A video to write into a shard.

    Attributes:
        name: Name of the member.
        source: File, or member of another shard, that is copied.
        labels: Its labels; -1 alone if it has none.
    """

    name: str
    source: str
    labels: tuple[int, ...] = (-1,)


def write_shard(path: str | Path, videos: Iterable[Packed]) -> None:
    """Write a shard, atomically, and its index.

    A label becomes a member of the name of the video that ends in ``.cls``, several labels one in ``.json``, where
    WebDataset looks for them; if another video only differs in its ending, the whole name precedes that of the label.
    The same videos make the same bytes.

    Args:
        path: File to write, ending in ``.tar``.
        videos: What to write.

    Raises:
        OSError: If a video cannot be read, or the shard not be written; ``path`` is then left unchanged.
    """

    videos = list(videos)
    stems = Counter(os.path.splitext(video.name)[0] for video in videos)

    def write(name: str) -> None:
        with tarfile.open(name, 'w', format=tarfile.PAX_FORMAT) as archive:
            for video in videos:
                with open_bytes(video.source) as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(0)
                    _add(archive, video.name, file, size)
                stem = os.path.splitext(video.name)[0]
                stem = stem if stems[stem] == 1 else video.name
                if len(video.labels) > 1:
                    text = json.dumps(dict(label=list(video.labels))).encode()
                    _add(archive, f'{stem}.json', io.BytesIO(text), len(text))
                elif video.labels[0] >= 0:
                    text = str(video.labels[0]).encode()
                    _add(archive, f'{stem}.cls', io.BytesIO(text), len(text))

    write_atomically(path, write)
    shard_index(path)


def _add(archive: tarfile.TarFile, name: str, file: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, file)
