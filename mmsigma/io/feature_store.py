"""Video features on disk, in shards that are complete or absent, so that an interrupted extraction can resume."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmsigma.io.atomic import write_atomically, write_text
from mmsigma.io.names import path_below
from mmsigma.io.shards import open_bytes
from mmsigma.io.text import read_json

DESCRIPTION = 'features.json'
"""Name of the file that describes a store."""
OF_LISTS = ('num_videos', 'shard_size', 'videos', 'parts')
"""Keys of a description that may differ between the parts of a store."""


_OF_MODELS = ('model', 'checkpoint', 'pooling')


class StoredRows:
    """Features of the shards of a store, of which only those asked for are in memory.

    Shards of safetensors are mapped into memory on first use, which the system takes back when it needs it; those of
    npz are read.

    Args:
        parts: Functions that return the features of each shard, ``(n, ...)``.
        lengths: Number n of features of each shard.

    Attributes:
        shape: Shape of all of them, ``(N, ...)``.
        ndim: Number of dimensions.
    """

    def __init__(self, parts: Sequence[Callable[[], Tensor]], lengths: Sequence[int]) -> None:
        filled = [number for number, length in enumerate(lengths) if length] or [0]
        self._parts = [parts[number] for number in filled]
        self._open: dict[int, Tensor] = {}
        self._starts = torch.tensor([0, *(lengths[number] for number in filled)]).cumsum(0)
        self.shape = torch.Size([int(self._starts[-1]), *self._part(0).shape[1:]])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Read rows by number, ``(n,)``, in any order and with repetitions."""
        out = self._part(0).new_empty(len(rows), *self.shape[1:])
        shards = torch.searchsorted(self._starts, rows, right=True) - 1
        for shard in shards.unique().tolist():
            chosen = shards == shard
            out[chosen] = self._part(shard)[rows[chosen] - self._starts[shard]]
        return out

    def _part(self, number: int) -> Tensor:
        if number not in self._open:
            self._open[number] = self._parts[number]()
        return self._open[number]

    def load(self) -> Tensor:
        """Read all rows."""
        return torch.cat([self._part(number) for number in range(len(self._parts))])

    def split(self, size: int) -> Iterator[Tensor]:
        """Read all rows, ``size`` or fewer at once."""
        for number in range(len(self._parts)):
            yield from self._part(number).split(size)


class Features(NamedTuple):
    """Features of the videos of a list, in its order.

    Attributes:
        features: Features ``(N, D)`` or ``(N, tokens, D)``.
        labels: Labels ``(N,)``, int64; -1 where a video has none.
        paths: Paths of the N videos.
        failed: Path and error message of each video that could not be read; these are not among the N.
    """

    features: Tensor
    labels: Tensor
    paths: list[str]
    failed: list[tuple[str, str]]


class StoredFeatures(NamedTuple):
    """Like :class:`Features`, but the features stay on the disk."""

    features: StoredRows
    labels: Tensor
    paths: list[str]
    failed: list[tuple[str, str]]

    def load(self) -> Features:
        """Read the features."""
        return Features(self.features.load(), *self[1:])


class FeatureStore:
    """Folder of shards, each with the features of ``shard_size`` consecutive videos of a list.

    A store that has grown, see :mod:`mmsigma.io.feature_growth`, has several parts with the videos of a list each, one
    after the other.

    Args:
        folder: Folder of the shards; it is created if necessary.
        description: Description of the features: ``num_videos``, ``shard_size``, ``format`` (``'safetensors'`` or
            ``'npz'``) and anything else that must not change between the runs that fill one store. ``parts`` has
            ``num_videos`` and ``shard_size`` of each part, if there are several. ``made_with`` may tell for reports
            what they come from: ``config``, ``checkpoint``, ``videos`` and ``classes``, the names of the labels.

    Attributes:
        parts: Number of videos, and of those of a shard, of each part.
        num_videos: Number of videos of all parts, and
        num_shards: number of their shards.

    Raises:
        ValueError: If the folder contains features with another description; the message lists the differences. Also if
            ``shard_size`` is not positive.
    """

    def __init__(self, folder: str | Path, description: dict[str, Any]) -> None:
        self.folder, self.description = Path(folder), description
        if description['shard_size'] < 1:
            raise ValueError(f'shards have one video or more, got a shard_size of {description["shard_size"]}')
        self.parts = parts_of(description)
        self._rows = _rows_of(self.parts)
        self.num_shards, self.num_videos = len(self._rows), sum(part['num_videos'] for part in self.parts)
        path = self.folder / DESCRIPTION
        if path.is_file():
            present = read_json(path)
            # stores of earlier versions do not name the pipeline, but their digest of the videos includes it
            but = () if 'pipeline' in present else ('pipeline',)
            if different := differences(present, description, but):
                changes = ', '.join(f'{key}: {there} there, {now} now' for key, (there, now) in different.items())
                remedy = 'choose another folder or delete it'
                if different.keys() <= {*OF_LISTS}:
                    remedy += '; to add the new videos of a longer list, set --append'
                raise ValueError(f'{self.folder} contains other features ({changes}): {remedy}')
        else:
            write_description(self.folder, description)

    @classmethod
    def open(cls, folder: str | Path) -> 'FeatureStore':
        """Open an existing store.

        Raises:
            FileNotFoundError: If the folder contains no store.
        """
        path = Path(folder) / DESCRIPTION
        if not path.is_file():
            raise FileNotFoundError(f'no features in {folder} (no {DESCRIPTION}): extract them by mmsigma extract')
        return cls(folder, read_json(path))

    def shard_path(self, number: int) -> Path:
        """Return the path of a shard's file."""
        return self._folder_of_shards / self._shard_name(number)

    @cached_property
    def _folder_of_shards(self) -> Path:
        return path_below(self.folder, self._shard_name(0)).parent

    def _shard_name(self, number: int) -> str:
        return f'shard_{number:05d}.{self.description["format"]}'

    def rows(self, number: int) -> range:
        """Return the positions in the store of the videos of a shard; of a store in one part, those in the list."""
        return self._rows[number]

    def missing_shards(self) -> list[int]:
        """Return the numbers of the shards that have not been written yet."""
        there = set(os.listdir(self._folder_of_shards))  # a look at each of thousands would take longer
        return [number for number in range(self.num_shards) if self._shard_name(number) not in there]

    def write(
        self, number: int, features: Tensor, labels: Tensor, paths: Sequence[str], failed: Sequence[tuple[str, str]]
    ) -> None:
        """Write a shard, atomically.

        Args:
            number: Number of the shard.
            features: Features ``(n, D)`` or ``(n, tokens, D)`` of the videos that could be read, on the CPU.
            labels: Their labels, ``(n,)``, int64.
            paths: Their paths.
            failed: Path and error message of each video of the shard that could not be read.
        """
        names = json.dumps(dict(paths=list(paths), failed=[list(item) for item in failed]))
        if self.description['format'] == 'npz':

            def save(name: str) -> None:
                with open(name, 'wb') as file:  # numpy appends a suffix to a name, but not to an open file
                    np.savez(file, features=features.numpy(), labels=labels.numpy(), names=np.array(names))

        else:

            def save(name: str) -> None:
                save_file(dict(features=features.contiguous(), labels=labels), name, metadata=dict(names=names))

        write_atomically(self.shard_path(number), save)

    def load(self) -> Features:
        """Read all features.

        Raises:
            RuntimeError: If shards are missing or damaged.
        """
        return self.open_rows().load()

    def open_rows(self, num_shards: int | None = None) -> StoredFeatures:
        """Open all features, or those of the first shards; they stay on the disk, and all else is read.

        Raises:
            RuntimeError: If shards are missing or damaged.
        """
        num_shards = self.num_shards if num_shards is None else num_shards
        missing = [number for number in self.missing_shards() if number < num_shards]
        if missing:
            raise RuntimeError(
                f'{len(missing)} of {num_shards} shards in {self.folder} are missing: run the extraction again, '
                'it resumes where it stopped'
            )
        features, labels, paths, failed = [], [], [], []
        for number in range(num_shards):
            path = self.shard_path(number)
            try:
                part, own, names = _read_npz(path) if path.suffix == '.npz' else _read_safetensors(path)
            except Exception as error:  # numpy, zipfile, json and safetensors have many of their own
                raise RuntimeError(f'{path} is damaged ({error}): delete it and run the extraction again') from error
            features.append(part)
            labels.append(own)
            paths += names['paths']
            failed += [tuple(item) for item in names['failed']]
        rows = StoredRows(features, [*map(len, labels)])
        return StoredFeatures(rows, torch.from_numpy(np.concatenate(labels)), paths, failed)


def _read_npz(path: Path) -> tuple[Callable[[], Tensor], npt.NDArray[np.int64], dict[str, Any]]:
    with np.load(path) as file:
        features, labels, names = torch.from_numpy(file['features']), file['labels'], json.loads(str(file['names']))
    return lambda: features, labels, names


def _read_safetensors(path: Path) -> tuple[Callable[[], Tensor], npt.NDArray[np.int64], dict[str, Any]]:
    with safe_open(path, 'np') as file:
        return partial(_map_features, path), file.get_tensor('labels'), json.loads(file.metadata()['names'])


def _map_features(path: Path) -> Tensor:
    with safe_open(path, 'pt') as file:
        features: Tensor = file.get_tensor('features')
    return features


def parts_of(description: dict[str, Any]) -> list[dict[str, int]]:
    """Return ``num_videos`` and ``shard_size`` of each part of a store."""
    whole = {key: description[key] for key in ('num_videos', 'shard_size')}
    parts: list[dict[str, int]] = description.get('parts', [whole])
    return parts


def _rows_of(parts: Sequence[dict[str, int]]) -> list[range]:
    """Return the positions of the videos of each shard."""
    rows, begin = [], 0
    for part in parts:
        end = begin + part['num_videos']
        rows += [range(start, min(start + part['shard_size'], end)) for start in range(begin, end, part['shard_size'])]
        begin = end
    return rows


def differences(one: dict[str, Any], other: dict[str, Any], but: Sequence[str] = ()) -> dict[str, tuple[Any, Any]]:
    """Return the values of the keys in which two descriptions of features differ, except for some keys.

    Where the features come from, ``made_with``, is for people: the digests beside it decide.
    """
    keys = [key for key in {**one, **other} if key not in (*but, 'made_with')]
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def write_description(folder: str | Path, description: dict[str, Any]) -> None:
    """Write the description of a store."""
    path = Path(folder) / DESCRIPTION
    write_text(path, json.dumps(description, indent=1))


def load_pair(train: str | Path, val: str | Path) -> tuple[Features, Features]:
    """Load what :func:`open_pair` opens."""
    learnt, evaluated = open_pair(train, val)
    return learnt.load(), evaluated.load()


def open_pair(train: str | Path, val: str | Path) -> tuple[StoredFeatures, StoredFeatures]:
    """Open features of the same model in two stores, one to learn from and one to evaluate on.

    Args:
        train: Folder of the features to learn from.
        val: Folder of the features to evaluate on.

    Returns:
        Features to learn from and features to evaluate on.

    Raises:
        FileNotFoundError: If a folder contains no store.
        RuntimeError: If shards are missing.
        ValueError: If model, checkpoint or pooling differ, or if a video is in both stores.
    """
    stores = [FeatureStore.open(folder) for folder in (train, val)]
    of_train, of_val = (store.description for store in stores)
    check_comparable(train, of_train, val, of_val, [key for key in (*of_train, *of_val) if key not in _OF_MODELS])
    learnt, evaluated = (store.open_rows() for store in stores)
    known = {os.path.realpath(path) for path in learnt.paths}
    shared = [path for path in evaluated.paths if os.path.realpath(path) in known]
    if shared:
        raise ValueError(
            f'{len(shared)} of the {len(evaluated.paths)} videos in {val} are also in {train}, so they would be both '
            f'learnt from and evaluated on; remove them from one list: {", ".join(shared[:3])}'
        )
    return learnt, evaluated


def check_comparable(
    one: str | Path, of_one: dict[str, Any], other: str | Path, of_other: dict[str, Any], but: Sequence[str]
) -> None:
    """Check that two folders have features of one kind, of which the descriptions differ in some keys at most.

    Raises:
        ValueError: If they differ in others.
    """
    if different := differences(of_one, of_other, but):
        changes = ', '.join(f'{key}: {first} and {second}' for key, (first, second) in different.items())
        raise ValueError(
            f'the features in {one} and {other} are not comparable ({changes}): extract both with the same model'
        )


def digest(settings: Any) -> str:
    """Return a short hash of settings, such as the config of a model or a dataset."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """Return a short hash of the content of a file or a member of a shard.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    content = hashlib.sha256()
    with open_bytes(path) as file:
        while block := file.read(1 << 22):
            content.update(block)
    return content.hexdigest()[:16]
