"""Dataset of videos from a list or a folder; unreadable videos are replaced, counted and named."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import MMLogger

from mmsigma.datasets.transforms.decoding import UnreadableVideoError
from mmsigma.datasets.videos.subset import fixed_subset
from mmsigma.datasets.videos.video_list import VIDEO_SUFFIXES, ListedVideo, read_entries
from mmsigma.io.pictures import PICTURES, list_pictures
from mmsigma.io.shards import SHARD_SUFFIX, exists
from mmsigma.io.text import read_text
from mmsigma.registry import DATASETS, TRANSFORMS
from mmsigma.utils.seeding import seeded_numpy

CLASSES = 'classes.txt'
"""Name of the file beside a list that has the name of each class."""
_Video = TypeVar('_Video')  # a path, or a video of an index


@DATASETS.register_module()
class VideoDataset(BaseDataset):
    """Videos with optional labels, for the transforms of mmaction's class of this name, but tolerant of imperfect data.

    * Lists are those of :func:`mmsigma.datasets.videos.video_list.read_entries`: lines ``path label``, with or without
      the label, ``folder frames label`` for folders of frames, or CSV files with a header. Paths may contain spaces.
    * Without a list, all videos below ``data_prefix`` are used.
    * Classes are named after the lines of ``classes.txt`` beside the list, one per label, as the converters write it.
      ``metainfo['classes']`` has the names, which checkpoints of a training on this dataset carry.
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
        multi_class: Whether a video may have several labels; they become multi-hot over ``num_classes``. Every video
            of the list must have labels.
        num_classes: Number of classes C with ``multi_class``.
        start_index: Number of the first frame, and
        modality: kind of the frames, which mmaction's transforms read.
        **kwargs: Further arguments of mmengine's ``BaseDataset``.

    Raises:
        TypeError: If the pipeline is a string, such as the folder of the videos.
        ValueError: If ``multi_class`` is set without ``num_classes``, or with ``label_range`` or ``subset``, which
            require one label per video.
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
        multi_class: bool = False,
        num_classes: int | None = None,
        start_index: int = 0,
        modality: str = 'RGB',
        **kwargs: Any,
    ) -> None:
        if isinstance(pipeline, str):
            raise TypeError(f'the first argument is the list of transforms; videos are data_root={pipeline!r}')
        if multi_class and (not num_classes or label_range or subset):
            raise ValueError('multi_class=True requires num_classes, and excludes label_range and subset')
        self.label_range, self.subset, self.folders = label_range, subset, folders
        self.multi_class, self.num_classes = multi_class, num_classes
        self.start_index, self.modality = start_index, modality
        self.list_is_optional = ann_file == optional_list
        self.class_names: list[str] = []
        transforms = [TRANSFORMS.build(step) if isinstance(step, dict) else step for step in pipeline]
        prefix = dict(data_prefix or dict(video=''))
        super().__init__(ann_file or '', pipeline=transforms, data_prefix=prefix, max_refetch=max_refetch, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Read the list or scan the folder.

        Raises:
            FileNotFoundError: If there is neither list nor folder, or none of the list's videos exists.
            ValueError: If there is no video, a line is not understood, a label is out of range, or missing with
                ``multi_class``, or folders have other numbers of frames than listed; the message names file and line.
        """
        folder = Path(self.data_prefix.get('video') or '.')
        ann_file = Path(self.ann_file) if self.ann_file else None
        if ann_file and ann_file.is_file():
            self._name_classes(ann_file.with_name(CLASSES))
            entries = read_entries(ann_file, folder, multi_class=self.multi_class)
            chosen = self._choose([(entry, entry.label) for entry in entries])
            check_some_exist(ann_file, folder, [entry.path for entry, _ in chosen])
            check_frame_counts(folder, [entry for entry, _ in chosen])
            if self.multi_class:
                return [{'filename': str(folder / entry.path), 'label': self._classes(entry)} for entry in entries]
            return [{'filename': str(folder / entry.path), 'label': label} for entry, label in chosen]
        if ann_file and not self.list_is_optional:
            raise FileNotFoundError(
                f'no video list at {ann_file}. Write one with "path label" lines relative to {folder}, '
                "or set ann_file='' (of a config: ann_file_train=) to use all videos in that folder"
            )
        if self.multi_class:
            raise ValueError(
                f'multi_class=True requires a list with the labels of the videos in {folder}: set ann_file'
            )
        videos = find_frame_folders(folder) if self.folders else find_videos(folder)
        if ann_file:
            MMLogger.get_current_instance().warning(
                f'no video list at {ann_file}: using all {len(videos)} videos in {folder}'
            )
        return [{'filename': str(path), 'label': -1} for path in videos]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return what is known of a video; several classes are multi-hot, (C,)."""
        info: dict[str, Any] = super().get_data_info(idx)
        info |= dict(modality=self.modality, start_index=self.start_index)
        if self.multi_class:
            classes, info['label'] = info['label'], torch.zeros(self.num_classes or 0)
            info['label'][classes] = 1.0
        return info

    def _name_classes(self, path: Path) -> None:
        """Read the names of the classes, if there is such a file."""
        if path.is_file():
            first, last = self.label_range or (0, None)
            self.class_names = read_class_names(path)[first : None if last is None else last + 1]
            self._metainfo.setdefault('classes', self.class_names)

    def _classes(self, entry: ListedVideo) -> list[int]:
        """Return the classes of a video with several labels."""
        if min(entry.labels) < 0:  # a target without any class would say that it shows none
            raise ValueError(
                f'{entry.place}: {entry.path} has no label, but multi_class=True requires the labels of every video: '
                'write lists with "path 1,4,7" lines'
            )
        if max(entry.labels) >= (self.num_classes or 0):
            raise ValueError(
                f'{entry.place}: there is a label {max(entry.labels)}, but num_classes is {self.num_classes}'
            )
        return list(entry.labels)

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


def read_class_names(path: Path) -> list[str]:
    """Read the names of classes, by label.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If two classes have the same name and could not be told apart.
    """
    names = [line.strip() for line in read_text(path).rstrip().split('\n')]
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise ValueError(f'{path} contains {twice[0]!r} twice: give each class a unique name')
    return names


def check_some_exist(ann_file: Path, folder: Path, paths: Sequence[str]) -> None:
    """Check that the files of a list exist, on a sample of about a hundred.

    Raises:
        FileNotFoundError: If none of them exists.
    """
    some = paths[:: max(1, len(paths) // 100)]  # checking every file could take minutes on network storage
    if not any(exists(folder / path) for path in some):
        raise FileNotFoundError(
            f'none of {len(some)} videos looked for, out of {len(paths)} in {ann_file}, exists, for example '
            f'{folder / some[0]}. Check data_root: paths in the list are relative to {folder}'
        )


def check_frame_counts(folder: Path, entries: Sequence[ListedVideo]) -> None:
    """Check that folders have as many images as their list states, give or take one, on a sample of about twenty.

    Raises:
        ValueError: If one has not, or is no folder: its columns have another meaning, or the images are of several
            kinds.
    """
    counted = [entry for entry in entries if entry.num_frames is not None]
    for entry in counted[:: max(1, len(counted) // 20)]:
        if (path := folder / entry.path).is_file():
            raise ValueError(f'{entry.place}: "folder frames label" is for folders of frames, but {path} is a file')
        if path.is_dir() and abs((found := len(list_pictures(path))) - (entry.num_frames or 0)) > 1:
            raise ValueError(
                f'{entry.place} states {entry.num_frames} frames, but {path} has {found} images: the columns must be '
                '"folder frames label", and the folder must contain nothing but the frames of one video'
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


def find_videos(folder: str | Path, remedy: str = 'set data_root to the folder of your videos') -> list[Path]:
    """Find all videos below a folder, sorted.

    Links to folders are followed, but each folder is visited once. Hidden files and folders are left out, such as the
    ``._clip.mp4`` and ``__MACOSX`` that macOS writes on other file systems and into archives.

    Args:
        folder: The folder.
        remedy: What to do if there is none, for the message.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it contains no video.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f'no folder of videos at {folder}: {remedy}')
    videos = sorted(path for path in _files(folder) if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())
    if not videos and (shard := next((path for path in _files(folder) if path.suffix == SHARD_SUFFIX), None)):
        raise ValueError(
            f'no video below {folder}, but shards such as {shard.name}: list their videos with mmsigma list-shards, '
            'and set the list'
        )
    if not videos:
        raise ValueError(f'no video below {folder} (looked for {" ".join(VIDEO_SUFFIXES)}): {remedy}')
    return videos


def _files(folder: Path) -> Iterator[Path]:
    """Walk through a folder, but not through what is hidden in it."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()  # already visited, through a link
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(parent, name) for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    """Return whether a name is of what systems put beside the data, such as the ``._*`` of macOS."""
    return name.startswith('.') or name == '__MACOSX'
