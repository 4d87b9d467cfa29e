"""Videos packed into shards, see :mod:`mmsigma.io.shards`, and lists of the shards that others have packed."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from mmsigma.apis.data_check import Source, with_unique_names
from mmsigma.apis.video_preparation import (
    Form,
    PreparedVideo,
    check_form,
    check_targets,
    prepared,
    prepared_names,
)
from mmsigma.datasets.videos.video_list import VIDEO_SUFFIXES
from mmsigma.io.locks import lock
from mmsigma.io.names import path_below
from mmsigma.io.shards import SHARD_SUFFIX, Packed, ShardError, exists, open_bytes, shard_index, write_shard
from mmsigma.io.tables import read_csv, write_csv

_UNPACKED = '.unpacked'  # folder of what is prepared for shards that are not complete yet


class PlannedShard(NamedTuple):
    """A shard to write.

    Attributes:
        path: File to write.
        videos: What it will have, except for what cannot be read.
    """

    path: Path
    videos: list[Packed]

    @property
    def failures(self) -> Path:
        """File that names the videos that it lacks, with reasons, if there are any."""
        return self.path.with_suffix('.failed.csv')


def plan_shards(sources: Sequence[Source], out: Path, size: int, *, keep_names: bool = False) -> list[PlannedShard]:
    """Assign the videos of sources to shards ``<name of the source>-000000.tar`` of ``size`` videos, in their order.

    A video that several sources have is in a shard of the first.

    Args:
        sources: Lists and folders, whose paths become the names of members.
        out: Folder of the shards.
        size: Number of videos of a shard; the last one of a source may have fewer.
        keep_names: Whether videos keep their suffix, instead of ending in ``.mp4``.

    Raises:
        ValueError: If ``size`` is not positive, a path leads out of its source, or two videos would get one name.
    """
    if size < 1:
        raise ValueError(f'shards have one video or more, got {size}')
    planned, seen = [], set[str]()
    for source in with_unique_names(sources):
        names = {path: path for path, _ in source.entries} if keep_names else prepared_names(source)
        videos: dict[str, Packed] = {}
        for path, labels in source.entries:
            file, name = source.file(path), path_below('', names[path]).as_posix()
            if file not in seen and (other := videos.setdefault(name, Packed(name, file, labels))).source != file:
                raise ValueError(f'{file} and {other.source} would both be {name}: rename one of them')
            seen.add(file)
        own = list(videos.values())
        for number, part in enumerate(own[start : start + size] for start in range(0, len(own), size)):
            planned.append(PlannedShard(path_below(out, f'{source.name}-{number:06d}{SHARD_SUFFIX}'), part))
    return planned


def pack_videos(
    sources: Sequence[Source],
    out: Path,
    form: Form | None,
    size: int,
    *,
    num_workers: int = 2,
    on_video: Callable[[PreparedVideo], None] = lambda result: None,
) -> list[PreparedVideo]:
    """Write the videos of lists and folders into shards, prepared or as they are.

    A shard is complete as soon as it exists, and never written again. What was prepared for another one is kept until
    then, so that a stopped run goes on with the next video.

    Args:
        sources: What to pack, see :func:`mmsigma.apis.data_check.find_sources`.
        out: Folder to write to: shards, beside each the index and, if there are any, the list of its videos that could
            not be read; and ``prepared.json``, the settings.
        form: What videos become, see :func:`mmsigma.apis.video_preparation.prepare_videos`; None to copy them.
        size: Number of videos of a shard.
        num_workers: Number of processes that prepare; 0 for none.
        on_video: Function that is called with every result.

    Returns:
        What became of every video; targets are paths into shards.

    Raises:
        HeldError: If another process is packing one of the lists into this folder.
        ValueError: If the folder has shards of other videos, sizes or forms, or see :func:`plan_shards`.
    """
    planned = plan_shards(sources, out, size, keep_names=form is None)
    check_targets([(video.source, str(shard.path / video.name)) for shard in planned for video in shard.videos], out)
    check_form(out, form, size)
    results = []
    with _locked(sources, out):
        left = [shard for shard in planned if not shard.path.is_file()]
        for result in _found(planned):
            results.append(result)
            on_video(result)
        for shard, made in _made(left, out, form, num_workers):
            for result in _pack(shard, made):
                results.append(result)
                on_video(result)
        for shard in planned:  # another process may be preparing other lists
            shutil.rmtree(out / _UNPACKED / shard.path.stem, ignore_errors=True)
        with suppress(OSError):
            (out / _UNPACKED).rmdir()
    return results


@contextmanager
def _locked(sources: Sequence[Source], out: Path) -> Iterator[None]:
    """Keep other processes from packing the same lists into the same folder."""
    with ExitStack() as held:
        for source in with_unique_names(sources):
            if file := lock(out / f'.{source.name}.lock'):
                held.enter_context(file)
        yield


def _found(planned: Sequence[PlannedShard]) -> Iterator[PreparedVideo]:
    """Return the videos of the shards that are there already."""
    for shard in planned:
        if not shard.path.is_file():
            continue
        members = shard_index(shard.path).members
        failed = (
            {row['path']: row['reason'] for _, row in read_csv(shard.failures)[1]} if shard.failures.is_file() else {}
        )
        expected = {video.name for video in shard.videos}
        if expected != expected & members.keys() | failed.keys():
            raise ValueError(f'{shard.path} has other videos than are to be packed: choose another folder')
        for video in shard.videos:
            yield PreparedVideo(video.source, str(shard.path / video.name), failed.get(video.name, ''))


def _made(
    shards: Sequence[PlannedShard], out: Path, form: Form | None, num_workers: int
) -> Iterator[tuple[PlannedShard, list[PreparedVideo]]]:
    """Prepare the videos of shards, and yield each shard as soon as all of its videos are files."""
    if form is None:
        for shard in shards:
            missing = 'there is no such file'
            yield shard, [PreparedVideo(v.source, v.source, '' if exists(v.source) else missing) for v in shard.videos]
        return
    pairs = [
        (video.source, str(path_below(out / _UNPACKED / shard.path.stem, video.name)))
        for shard in shards
        for video in shard.videos
    ]
    made = prepared(pairs, form, num_workers)
    for shard in shards:
        yield shard, [*islice(made, len(shard.videos))]
        shutil.rmtree(out / _UNPACKED / shard.path.stem, ignore_errors=True)


def _pack(shard: PlannedShard, made: Sequence[PreparedVideo]) -> list[PreparedVideo]:
    """Write a shard of what was made, and beside it what could not be."""
    pairs = list(zip(shard.videos, made, strict=True))
    if failed := [(video.name, result.reason) for video, result in pairs if result.reason]:
        write_csv(shard.failures, [('path', 'reason'), *failed])
    else:  # those of a stopped run may be readable now
        shard.failures.unlink(missing_ok=True)
    write_shard(shard.path, [video._replace(source=result.target) for video, result in pairs if not result.reason])
    return [result._replace(target=str(shard.path / video.name)) for video, result in pairs]


def list_shards(shards: Sequence[Path], folder: Path, label_key: str = 'label') -> list[tuple[str, tuple[int, ...]]]:
    """List the videos of shards, as of WebDataset, with their labels.

    A label is the content of the member of the same name that ends in ``.cls``, or what one in ``.json`` has for
    ``label_key``: an integer, or a list of integers. The whole name, ``a.avi.cls``, comes before ``a.cls``.

    Args:
        shards: Tar files.
        folder: Folder that the paths are relative to.
        label_key: Key of the label.

    Returns:
        Path and labels of every video, in the order of the shards; -1 alone for those without a label.

    Raises:
        ShardError: If a file is no shard or damaged, or a label no integer.
        ValueError: If there is no video.
    """
    found = []
    for shard in shards:
        index = shard_index(shard)
        if index.damage:
            raise ShardError(f'{shard} is damaged: {index.damage}; make or copy it anew')
        for name in index.members:
            if os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES:
                path = Path(os.path.relpath(shard, folder), name).as_posix()
                found.append((path, _labels(shard, name, index.members, label_key)))
    if not found:
        raise ValueError(f'no video in {len(shards)} shards (looked for {" ".join(VIDEO_SUFFIXES)})')
    return found


def _labels(shard: Path, video: str, members: dict[str, tuple[int, int]], key: str) -> tuple[int, ...]:
    for name in (f'{stem}{suffix}' for stem in (video, os.path.splitext(video)[0]) for suffix in ('.cls', '.json')):
        if name not in members:
            continue
        with open_bytes(shard / name) as file:
            text = file.read()
        try:
            content = json.loads(text)
            value = content.get(key, -1) if name.endswith('.json') else content
            values = value if isinstance(value, list) else [value]
            if any(isinstance(one, bool | float) for one in values):
                raise TypeError('int() takes these, too')
            labels = tuple(map(int, values))
            if labels and labels != (-1,):
                return labels
        except (ValueError, TypeError, AttributeError) as error:
            raise ShardError(f'{shard}/{name} has no integers as labels: {text[:40]!r}') from error
    return (-1,)
