"""One pass over the videos of lists, folders and configs: which can be read, what they are, and which occur twice."""

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mmsigma.datasets.run_checks import check_labels, check_masks
from mmsigma.datasets.videos.video_dataset import find_frame_folders, find_videos
from mmsigma.datasets.videos.video_list import read_entries
from mmsigma.io.atomic import make_folder
from mmsigma.io.decoder_process import GuardedVideoFile
from mmsigma.io.decoders import FolderReader
from mmsigma.io.feature_store import digest, file_digest
from mmsigma.io.names import path_below
from mmsigma.io.shards import file_on_disk
from mmsigma.io.tables import write_csv
from mmsigma.io.video_file import ChangedIndexError
from mmsigma.registry import DATASETS
from mmsigma.utils.config import load_config

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@dataclass(frozen=True)
class Source:
    """Videos of a list, a folder or a dataset of a config.

    Attributes:
        name: Name for messages and files.
        root: Folder that the paths are relative to.
        entries: Path and labels of each video.
        problems: What is wrong with labels and masks.
    """

    name: str
    root: Path
    entries: list[tuple[str, tuple[int, ...]]]
    problems: list[str] = field(default_factory=list)

    def file(self, path: str) -> str:
        """Return the file of a path."""
        return os.path.abspath(self.root / path)


@dataclass(frozen=True)
class VideoFacts:
    """Result of checking a video.

    Attributes:
        path: Absolute path.
        stamp: Size and time of modification; the result holds while they stay the same.
        reason: Why it cannot be read; empty if it can.
        num_frames: Number of frames.
        seconds: Duration in seconds; 0 for folders of images.
        size: Height and width of the upright frames.
        rotation: Degrees, counter-clockwise, by which the stored frames are turned to be upright.
        decoder: ``'any'``, or ``'auto'`` if no other can be trusted with the file.
        content: Digest of the content.
    """

    path: str
    stamp: str
    reason: str = ''
    num_frames: int = 0
    seconds: float = 0.0
    size: tuple[int, int] = (0, 0)
    rotation: int = 0
    decoder: str = ''
    content: str = ''


def find_sources(
    path: str | Path,
    root: str | Path | None = None,
    options: dict[str, Any] | None = None,
    *,
    multi_class: bool = False,
) -> list[Source]:
    """Find the videos of a config, a list or a folder.

    Args:
        path: Config (``.py``), list, or folder of videos or of folders of images.
        root: Folder that the paths of a list are relative to; None for the list's own folder.
        options: Changes to a config, as of ``--cfg-options``.
        multi_class: Whether videos of a list may have several labels, as with ``VideoDataset(multi_class=True)``.

    Raises:
        FileNotFoundError: If there is no such file, or a dataset is missing.
        ValueError: If there are no videos, or a list is not understood.
    """
    path = Path(path)
    if path.is_dir():
        try:
            found = find_videos(path)
        except ValueError as error:
            try:
                found = find_frame_folders(path)
            except ValueError:
                raise error from None
        return [Source(path.resolve().name, path, [(str(video.relative_to(path)), (-1,)) for video in found])]
    if path.suffix == '.py' or (not path.exists() and '::' in str(path)):
        return list(_config_sources(load_config(path, options)))
    if not path.is_file():
        raise FileNotFoundError(f'there is no config, list or folder of videos at {path}')
    folder = Path(root) if root else path.parent
    entries = read_entries(path, folder, multi_class=multi_class)
    return [Source(path.stem, folder, [(entry.path, entry.labels) for entry in entries])]


def with_unique_names(sources: Sequence[Source]) -> list[Source]:
    """Number sources of equal names, as of two lists ``train.txt``, so that what is written about each has a name."""
    names = [source.name for source in sources]
    return [
        replace(source, name=f'{source.name}_{names[:place].count(source.name) + 1}')
        if names.count(source.name) > 1
        else source
        for place, source in enumerate(sources)
    ]


def _config_sources(cfg: Any) -> Iterator[Source]:
    loaders = {name: cfg.get(name) for name in LOADERS}
    loaders['bank_dataloader'] = (cfg.get('test_cfg') or {}).get('bank_dataloader')
    num_classes = (cfg.model.get('head') or {}).get('num_classes')
    for name, loader in loaders.items():
        if not loader:
            continue
        settings = dict(loader['dataset'])
        dataset = DATASETS.build(settings | ({'pipeline': []} if 'pipeline' in settings else {}))
        problems = _problems(check_masks, dataset, name)
        if num_classes is not None:
            problems += _problems(check_labels, dataset, num_classes, name)
        yield Source(name.removesuffix('_dataloader'), Path(), list(_dataset_entries(dataset)), problems)


def _problems(check: Callable[..., None], *arguments: Any) -> list[str]:
    try:
        check(*arguments)
    except ValueError as error:
        return [str(error)]
    return []


def _dataset_entries(dataset: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for sequence in getattr(dataset, 'sequences', ()):
        yield str(sequence.frames[0].parent), (-1,)
    for index in range(len(dataset) if hasattr(dataset, 'get_data_info') else 0):
        info = dataset.get_data_info(index)
        label = info.get('label', -1)
        yield info['filename'], (label,) if isinstance(label, int) else tuple(np.flatnonzero(label).tolist())


def check_video(path: str, *, thorough: bool = False) -> VideoFacts:
    """Read a video file or a folder of images.

    Args:
        path: Absolute path.
        thorough: Whether to decode all frames; otherwise five, from the first to the last.
    """
    stamp = _stamp(path)
    try:
        return _folder_facts(path, stamp, thorough) if os.path.isdir(path) else _file_facts(path, stamp, thorough)
    except Exception as error:  # one file, whatever is wrong with it, must not end the check of all others
        known = isinstance(error, OSError | ValueError)
        reason = getattr(error, 'reason', None) or str(error) or type(error).__name__
        reason = reason if known else f'{type(error).__name__}: {reason}'
        return VideoFacts(path, stamp, reason=str(reason).splitlines()[0])


def _stamp(path: str) -> str:
    try:
        status = os.stat(file_on_disk(path))
    except OSError:
        return ''
    return f'{status.st_size} {status.st_mtime_ns}'


def _some(total: int) -> list[int]:
    return sorted({round(place) for place in np.linspace(0, total - 1, 5).tolist()})


def _file_facts(path: str, stamp: str, thorough: bool) -> VideoFacts:
    with GuardedVideoFile(path) as video:
        try:
            frames = video.read(_some(len(video)))
        except ChangedIndexError:  # the file has other frames than announced
            frames = video.read(_some(len(video)))
        if thorough and (decoded := sum(1 for _ in video)) != len(video):
            raise ValueError(f'{decoded} of {len(video)} frames can be decoded')
        times = video.times()
        rotation = video.rotation()
        seconds = float(times[-1]) + (1 / video.fps if video.fps else 0.0)
        decoder = 'any' if video.is_plain else 'auto'
        shape = frames[0].shape[:2]
        return VideoFacts(path, stamp, '', len(video), round(seconds, 3), shape, rotation, decoder, file_digest(path))


def _folder_facts(path: str, stamp: str, thorough: bool) -> VideoFacts:
    reader = FolderReader(path)
    numbers = list(range(len(reader))) if thorough else _some(len(reader))
    shape = [reader.read([numbers[0], number])[1].shape[:2] for number in numbers][0]
    content = digest([file_digest(picture) for picture in reader.pictures])
    return VideoFacts(path, stamp, '', len(reader), 0.0, shape, 0, 'frames', content)


def check_videos(
    paths: Sequence[str],
    record: Path,
    *,
    num_workers: int = 2,
    thorough: bool = False,
    on_video: Callable[[VideoFacts], None] = lambda facts: None,
) -> dict[str, VideoFacts]:
    """Check videos in several processes, and record each result at once, so that a stopped check can go on.

    Args:
        paths: Absolute paths.
        record: JSON lines file; videos that it has and that have not changed are not read again.
        num_workers: Number of processes; 0 for none.
        thorough: See :func:`check_video`; sets of results must not be mixed in one record.
        on_video: Function that is called with every result.

    Returns:
        Results by path.
    """
    known = {facts.path: facts for facts in _read_record(record) if facts.stamp == _stamp(facts.path)}
    results = {path: known[path] for path in dict.fromkeys(paths) if path in known}
    for facts in results.values():
        on_video(facts)
    left = [path for path in dict.fromkeys(paths) if path not in results]
    make_folder(record.parent)
    cut_off = record.is_file() and not record.read_bytes().endswith(b'\n')
    with record.open('a', encoding='utf-8') as file:
        file.write('\n' if cut_off else '')
        for facts in _checked(left, num_workers, thorough):
            file.write(json.dumps(asdict(facts)) + '\n')
            file.flush()
            results[facts.path] = facts
            on_video(facts)
    return results


def _checked(paths: list[str], num_workers: int, thorough: bool) -> Iterator[VideoFacts]:
    if num_workers == 0:
        for path in paths:
            yield check_video(path, thorough=thorough)
        return
    context = multiprocessing.get_context('spawn')  # forked workers could inherit locks of threads
    with ProcessPoolExecutor(num_workers, context) as pool:
        yield from pool.map(_check_thoroughly if thorough else check_video, paths)


def _check_thoroughly(path: str) -> VideoFacts:
    return check_video(path, thorough=True)


def _read_record(record: Path) -> Iterator[VideoFacts]:
    """Read the results of an earlier check; the last line may be cut off."""
    for line in record.read_text(encoding='utf-8').split('\n') if record.is_file() else ():
        try:
            content = json.loads(line)
            yield VideoFacts(**{**content, 'size': tuple(content['size'])})
        except (ValueError, TypeError, KeyError):
            continue


def usable_entries(source: Source, results: dict[str, VideoFacts]) -> list[tuple[str, tuple[int, ...]]]:
    """Return the entries of a source whose videos can be read."""
    return [(path, labels) for path, labels in source.entries if not results[source.file(path)].reason]


def write_usable(out: Path, source: Source, results: dict[str, VideoFacts]) -> Path:
    """Write the usable videos of a source as a list, ``<name>_usable.csv``, and return its path."""
    rows = [(path, ','.join(map(str, labels))) for path, labels in usable_entries(source, results)]
    path = path_below(out, f'{source.name}_usable.csv')
    write_csv(path, [('path', 'label'), *rows])
    return path


def describe_source(source: Source, results: dict[str, VideoFacts], num_examples: int = 5) -> list[str]:
    """Describe the videos of a source in lines: how many can be read, their lengths, what is unusual, and labels."""
    facts = [results[source.file(path)] for path, _ in source.entries]
    good, bad = [one for one in facts if not one.reason], [one for one in facts if one.reason]
    lines = [f'{source.name}: {len(good):,} of {len(facts):,} videos can be read', *source.problems]
    lines += [f'  {one.path}: {one.reason}' for one in bad[:num_examples]]
    if good:
        frames, seconds = (np.array([getattr(one, key) for one in good]) for key in ('num_frames', 'seconds'))
        lines.append(
            f'  frames {frames.min()} to {frames.max()}, median {np.median(frames):g}; '
            f'{seconds.min():.1f} to {seconds.max():.1f} s, {seconds.sum() / 3600:.2f} h in all'
        )
        sizes = Counter(one.size for one in good).most_common(3)
        lines.append('  sizes ' + ', '.join(f'{width} x {height} ({n:,})' for (height, width), n in sizes))
    if turned := Counter(one.rotation for one in good if one.rotation):
        lines.append('  rotated ' + ', '.join(f'{angle} degrees ({n:,})' for angle, n in sorted(turned.items())))
    if needed := sum(one.decoder == 'auto' for one in good):
        lines.append(f'  {needed:,} need decoder=auto')
    labels = Counter(label for _, own in source.entries for label in own if label >= 0)
    if labels:
        common = ', '.join(f'{label} ({n:,})' for label, n in labels.most_common(num_examples))
        gaps = sorted(set(range(max(labels) + 1)) - labels.keys())
        lines.append(f'  {len(labels)} labels from {min(labels)} to {max(labels)}; the most frequent: {common}')
        lines += [f'  {len(gaps)} labels in between do not occur, for example {gaps[:num_examples]}'] if gaps else []
    if without := sum(min(own, default=-1) < 0 for _, own in source.entries):
        lines.append(f'  {without:,} videos have no label')
    return lines


def describe_repetitions(sources: Sequence[Source], results: dict[str, VideoFacts], num_examples: int = 3) -> list[str]:
    """Name the videos that occur in two sources, and those that occur twice in one, by path or by content."""
    lines = []
    files = [dict.fromkeys(os.path.realpath(source.file(path)) for path, _ in source.entries) for source in sources]
    contents = [_by_content(source, results) for source in sources]
    for one, other in combinations(range(len(sources)), 2):
        names = f'{sources[one].name} and {sources[other].name}'
        if shared := [path for path in files[one] if path in files[other]]:
            lines.append(f'{len(shared):,} videos are both in {names}: {", ".join(shared[:num_examples])}')
        same = [key for key in contents[one] if key in contents[other]]
        copies = [(contents[one][k][0], contents[other][k][0]) for k in same]
        if copies := [pair for pair in copies if os.path.realpath(pair[0]) != os.path.realpath(pair[1])]:
            some = '; '.join(' = '.join(pair) for pair in copies[:num_examples])
            lines.append(f'{len(copies):,} videos of {names} have the same content under other names: {some}')
    for source, content in zip(sources, contents, strict=True):
        if twice := [paths for paths in content.values() if len(paths) > 1]:
            some = '; '.join(' = '.join(paths[:2]) for paths in twice[:num_examples])
            lines.append(f'{len(twice):,} videos are more than once in {source.name}: {some}')
    return lines


def _by_content(source: Source, results: dict[str, VideoFacts]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path, _ in source.entries:
        facts = results[source.file(path)]
        if not facts.reason:
            found.setdefault(facts.content, []).append(facts.path)
    return found
