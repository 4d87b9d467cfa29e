"""Dataset of videos from a list or a folder; unreadable videos are replaced, counted and named."""

import csv
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from mmaction.datasets import VideoDataset as MMActionVideoDataset
from mmengine.logging import MMLogger

from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.datasets.videos.subset import fixed_subset
from mmsigma.io.pictures import PICTURES
from mmsigma.registry import DATASETS, TRANSFORMS
from mmsigma.utils.seeding import seeded_numpy

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm', '.mov', '.m4v', '.mpg', '.mpeg', '.wmv', '.flv', '.ts', '.3gp')
_Video = TypeVar('_Video')  # a path, or a video of an index
_PATH_COLUMNS = ('path', 'filename', 'file', 'video', 'video_path')
_LABEL_COLUMNS = ('label', 'class', 'class_id', 'target')
_ENDING = '|'.join(re.escape(suffix) for suffix in VIDEO_SUFFIXES)
# The path may contain spaces, so it ends at the last video suffix followed by a label; further columns are ignored.
_LINE = re.compile(rf'^(?P<path>.+(?:{_ENDING}))(?:[\s,]+(?P<label>-?\d+)(?:[\s,].*)?)?$', re.IGNORECASE)


@DATASETS.register_module()
class VideoDataset(MMActionVideoDataset):
    """Videos with optional labels, like mmaction's class of this name, but tolerant of imperfect data.

    * Lists consist of lines ``path label``, with or without the label, or are CSV files with a header. Paths may
      contain spaces.
    * Without a list, all videos below ``data_prefix`` are used.
    * A video that cannot be read is replaced by another one, chosen by the sample's seed. The sample's metadata then
      lists the failed paths and reasons (key ``failures``), which :class:`mmsigma.engine.hooks.BadVideoHook` counts.

    Args:
        pipeline: Configs of the transforms.
        ann_file: Video list, relative to ``data_root``; empty to use all videos of the folder.
        data_prefix: Folder of the videos, ``dict(video=...)``, relative to ``data_root``.
        optional_list: A value of ``ann_file``, such as the default of a config, that need not exist: without it, all
            videos of the folder are used, with a warning. Any other list must exist.
        folders: Whether videos are folders of images, for ``decoder='frames'``; only without a list.
        label_range: First and last label to keep; labels then count from the first. None keeps all.
        subset: Arguments of :func:`mmsigma.datasets.videos.subset.fixed_subset`, which keeps about ``num_examples``
            videos of the list, readable or not; None keeps all.
        max_refetch: Number of replacements to try before giving up.
        **kwargs: Further arguments of mmaction's ``VideoDataset``.
    """

    def __init__(
        self,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]],
        ann_file: str = '',
        data_prefix: dict[str, Any] | None = None,
        *,
        optional_list: str = '',
        folders: bool = False,
        label_range: tuple[int, int] | None = None,
        subset: dict[str, Any] | None = None,
        max_refetch: int = 20,
        **kwargs: Any,
    ) -> None:
        self.label_range, self.subset, self.folders = label_range, subset, folders
        self.list_is_optional = ann_file == optional_list
        transforms = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        prefix = dict(data_prefix or dict(video=''))
        super().__init__(ann_file or '', pipeline=transforms, data_prefix=prefix, max_refetch=max_refetch, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list or scan the folder.

        Raises:
            FileNotFoundError: If there is neither list nor folder, or none of the list's videos exists.
            ValueError: If there is no video, or a line cannot be parsed; the message names it.
        """
        folder = Path(self.data_prefix.get('video') or '.')
        ann_file = Path(self.ann_file) if self.ann_file else None
        if ann_file and ann_file.is_file():
            entries = self._choose(read_video_list(ann_file))
            check_some_exist(ann_file, folder, [path for path, _ in entries])
            return [{'filename': str(folder / path), 'label': label} for path, label in entries]
        if ann_file and not self.list_is_optional:
            raise FileNotFoundError(
                f'no video list at {ann_file}. Write one with "path label" lines relative to {folder}, '
                "or set ann_file='' (of a config: ann_file_train=) to use all videos in that folder"
            )
        videos = find_frame_folders(folder) if self.folders else find_videos(folder)
        if ann_file:
            MMLogger.get_current_instance().warning(
                f'no video list at {ann_file}: using all {len(videos)} videos in {folder}'
            )
        return [{'filename': str(path), 'label': -1} for path in videos]

    def _choose(self, entries: list[tuple[_Video, int]]) -> list[tuple[_Video, int]]:
        """Restrict entries, pairs of a video and its label, to ``label_range`` and ``subset``."""
        if self.label_range:
            first, last = self.label_range
            entries = [(path, label - first) for path, label in entries if first <= label <= last]
            if not entries:
                raise ValueError(f'no video in {self.ann_file} has a label from {first} to {last} (label_range)')
        if self.subset:
            entries = [entries[place] for place in fixed_subset([label for _, label in entries], **self.subset)]
        return entries

    def __getitem__(self, idx: int) -> Any:
        """Load a clip, or a replacement if its video cannot be read.

        An index from :class:`mmsigma.datasets.SeededSampler` makes all randomness in the pipeline a function of the
        run's seed, the epoch and the index.

        Raises:
            UnreadableVideoError: At once in test mode, otherwise after ``max_refetch`` replacements have failed.
        """
        self.full_init()
        seed = getattr(idx, 'seed', None)
        with seeded_numpy(seed):
            failures: list[tuple[str, str]] = []
            index = int(idx)
            while True:
                try:
                    return self.pipeline({**self.get_data_info(index), 'failures': failures})
                except UnreadableVideoError as error:
                    if self.test_mode or len(failures) >= self.max_refetch:
                        raise
                    failures.append((error.filename, error.reason))
                    index = self.replacement(index)

    def replacement(self, index: int) -> int:
        """Draw the index of a video that replaces an unreadable one."""
        return int(np.random.randint(len(self)))


def check_some_exist(ann_file: Path, folder: Path, paths: Sequence[str]) -> None:
    """Check that the files of a list exist, on a sample of about a hundred.

    Raises:
        FileNotFoundError: If none of them exists.
    """
    some = paths[:: max(1, len(paths) // 100)]  # checking every file could take minutes on network storage
    if not any((folder / path).exists() for path in some):
        raise FileNotFoundError(
            f'none of {len(some)} videos looked for, out of {len(paths)} in {ann_file}, exists, for example '
            f'{folder / some[0]}. Check data_root: paths in the list are relative to {folder}'
        )


def find_frame_folders(folder: str | Path) -> list[Path]:
    """Find all folders below a folder that contain images, sorted.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If there are none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f'no folder of videos at {folder}: set data_root to the folder of your videos')
    found = sorted({path.parent for path in _files(folder) if path.suffix.lower() in PICTURES})
    if not found:
        raise ValueError(f'no folder of images below {folder} (looked for {" ".join(sorted(PICTURES))})')
    return found


def find_videos(folder: str | Path) -> list[Path]:
    """Find all videos below a folder, sorted; links to folders are followed, but each folder is visited once.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no video.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f'no folder of videos at {folder}: set data_root to the folder of your videos')
    videos = sorted(path for path in _files(folder) if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not videos:
        raise ValueError(f'no video below {folder} (looked for {" ".join(VIDEO_SUFFIXES)})')
    return videos


def _files(folder: Path) -> Iterator[Path]:
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()  # already visited, through a link
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(parent, name) for name in names)


def read_video_list(path: str | Path) -> list[tuple[str, int]]:
    """Read pairs of path and label from a list; the label is -1 where there is none.

    Raises:
        ValueError: If the list is empty or a line cannot be parsed; the message names file and line.
    """
    path = Path(path)
    lines = path.read_text(encoding='utf-8-sig').splitlines()
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if not numbered:
        raise ValueError(f'the video list {path} is empty')
    delimiter = _csv_delimiter(numbered[0][1])
    entries = _parse_csv(path, lines, delimiter) if delimiter else [_parse_line(path, *item) for item in numbered]
    if not entries:
        raise ValueError(f'the video list {path} has a header but no video')
    return entries


def _csv_delimiter(first_line: str) -> str | None:
    for delimiter in ',;\t':
        names = {name.strip().strip('"').lower() for name in first_line.split(delimiter)}
        if names & set(_PATH_COLUMNS):
            return delimiter
    return None


def _parse_csv(path: Path, lines: list[str], delimiter: str) -> list[tuple[str, int]]:
    start = next(number for number, line in enumerate(lines) if line.strip())
    reader = csv.DictReader(lines[start:], delimiter=delimiter, skipinitialspace=True)
    columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
    path_column = next(columns[name] for name in _PATH_COLUMNS if name in columns)
    label_column = next((columns[name] for name in _LABEL_COLUMNS if name in columns), None)
    entries = []
    for row in reader:
        place = f'{path}, line {start + reader.line_num}'
        video, label = row[path_column], row[label_column] if label_column else '-1'
        if not video:
            raise ValueError(f'{place}: the column {path_column.strip()!r} is empty')
        try:
            entries.append((video, int(label)))
        except (TypeError, ValueError):
            raise ValueError(f'{place}: the label {label!r} is not an integer') from None
    return entries


def _parse_line(path: Path, number: int, line: str) -> tuple[str, int]:
    match = _LINE.match(line)
    if match:
        return match['path'], int(match['label'] or -1)
    name, _, label = line.rpartition(' ')  # a folder of frames or an unusual suffix
    if name and re.fullmatch(r'-?\d+', label):
        return name.strip(), int(label)
    raise ValueError(f'{path}, line {number}: expected "path label", got {line!r}')
