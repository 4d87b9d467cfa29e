"""Video features on disk, in shards that are complete or absent, so that an interrupted extraction can resume."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmsigma.io.atomic import write_atomically
from mmsigma.io.names import path_below
from mmsigma.io.shards import open_bytes
from mmsigma.io.text import read_json

_DESCRIPTION = 'features.json'


class StoredRows:
    """Features of the shards of a store, of which only those asked for are in memory.

    Shards of safetensors are mapped into memory, which the system takes back when it needs it; those of npz are read.

    Args:
        parts: Features of each shard, ``(n, ...)``.

    Attributes:
        shape: Shape of all of them, ``(N, ...)``.
        ndim: Number of dimensions.
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        filled = [part for part in parts if len(part)] or list(parts[:1])
        self._parts = filled
        self._starts = torch.tensor([0, *(len(part) for part in filled)]).cumsum(0)
        self.shape = torch.Size([int(self._starts[-1]), *filled[0].shape[1:]])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Read rows by number, ``(n,)``, in any order and with repetitions."""
        out = self._parts[0].new_empty(len(rows), *self.shape[1:])
        shards = torch.searchsorted(self._starts, rows, right=True) - 1
        for shard in shards.unique().tolist():
            chosen = shards == shard
            out[chosen] = self._parts[shard][rows[chosen] - self._starts[shard]]
        return out

    def load(self) -> Tensor:
        """Read all rows."""
        return torch.cat(self._parts)

    def split(self, size: int) -> Iterator[Tensor]:
        """Read all rows, ``size`` or fewer at once."""
        for part in self._parts:
            yield from part.split(size)


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

    Args:
        folder: Folder of the shards; it is created if necessary.
        description: Description of the features: ``num_videos``, ``shard_size``, ``format`` (``'safetensors'`` or
            ``'npz'``) and anything else that must not change between the runs that fill one store.

    Raises:
        ValueError: If the folder contains features with another description; the message lists the differences. Also if
            ``shard_size`` is not positive.
    """

    def __init__(self, folder: str | Path, description: dict[str, Any]) -> None:
        self.folder, self.description = Path(folder), description
        if description['shard_size'] < 1:
            raise ValueError(f'shards have one video or more, got a shard_size of {description["shard_size"]}')
        self.num_shards = math.ceil(description['num_videos'] / description['shard_size'])
        path = self.folder / _DESCRIPTION
        if path.is_file():
            present = read_json(path)
            different = [key for key in {**present, **description} if present.get(key) != description.get(key)]
            if different:
                changes = ', '.join(f'{key}: {present.get(key)} there, {description.get(key)} now' for key in different)
                raise ValueError(
                    f'{self.folder} contains other features ({changes}): choose another folder or delete it'
                )
        else:
            write_atomically(path, lambda name: Path(name).write_text(json.dumps(description, indent=1)))

    @classmethod
    def open(cls, folder: str | Path) -> 'FeatureStore':
        """Open an existing store.

        Raises:
            FileNotFoundError: If the folder contains no store.
        """
        path = Path(folder) / _DESCRIPTION
        if not path.is_file():
            raise FileNotFoundError(f'no features in {folder} (no {_DESCRIPTION}): run tools/extract_features.py first')
        return cls(folder, read_json(path))

    def shard_path(self, number: int) -> Path:
        """Return the path of a shard's file."""
        return path_below(self.folder, f'shard_{number:05d}.{self.description["format"]}')

    def rows(self, number: int) -> range:
        """Return the positions in the list of the videos of a shard."""
        size = self.description['shard_size']
        return range(number * size, min((number + 1) * size, self.description['num_videos']))

    def missing_shards(self) -> list[int]:
        """Return the numbers of the shards that have not been written yet."""
        return [number for number in range(self.num_shards) if not self.shard_path(number).is_file()]

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

    def open_rows(self) -> StoredFeatures:
        """Open all features, which stay on the disk; all else is read.

        Raises:
            RuntimeError: If shards are missing or damaged.
        """
        missing = self.missing_shards()
        if missing:
            raise RuntimeError(
                f'{len(missing)} of {self.num_shards} shards in {self.folder} are missing: run the extraction again, '
                'it resumes where it stopped'
            )
        features, labels, paths, failed = [], [], [], []
        for number in range(self.num_shards):
            try:
                arrays, names = self._read(number)
            except Exception as error:  # numpy, zipfile, json and safetensors have many of their own
                raise RuntimeError(
                    f'{self.shard_path(number)} is damaged ({error}): delete it and run the extraction again'
                ) from error
            features.append(arrays['features'])
            labels.append(arrays['labels'])
            paths += names['paths']
            failed += [tuple(item) for item in names['failed']]
        return StoredFeatures(StoredRows(features), torch.cat(labels), paths, failed)

    def _read(self, number: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        path = self.shard_path(number)
        if path.suffix == '.npz':
            with np.load(path) as file:
                arrays = {key: torch.from_numpy(file[key]) for key in ('features', 'labels')}
                return arrays, json.loads(str(file['names']))
        with safe_open(path, 'pt') as file:
            return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()['names'])


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
    different = [key for key in ('model', 'checkpoint', 'pooling') if of_train.get(key) != of_val.get(key)]
    if different:
        changes = ', '.join(f'{key}: {of_train.get(key)} and {of_val.get(key)}' for key in different)
        raise ValueError(
            f'the features in {train} and {val} are not comparable ({changes}): extract both with the same model'
        )
    learnt, evaluated = (store.open_rows() for store in stores)
    known = {os.path.realpath(path) for path in learnt.paths}
    shared = [path for path in evaluated.paths if os.path.realpath(path) in known]
    if shared:
        raise ValueError(
            f'{len(shared)} of the {len(evaluated.paths)} videos in {val} are also in {train}, so they would be both '
            f'learnt from and evaluated on; remove them from one list: {", ".join(shared[:3])}'
        )
    return learnt, evaluated


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
