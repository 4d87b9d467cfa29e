"""Features of videos on disk: shards that are complete or not there, so that extraction can go on where it stopped."""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmsigma.io.atomic import write_atomically

_DESCRIPTION = 'features.json'


class Features(NamedTuple):
    """Features in the order of the video list.

    Attributes:
        features: (N, D), or (N, tokens, D).
        labels: (N,), int64, -1 where a video has none.
        paths: Of the N videos.
        failed: Path and reason of videos that could not be read; they are not among the N.
    """

    features: Tensor
    labels: Tensor
    paths: list[str]
    failed: list[tuple[str, str]]


class FeatureStore:
    """A folder of shards, each with the features of ``shard_size`` consecutive videos of a list.

    Args:
        folder: Where the shards are.
        description: What the features are: ``num_videos``, ``shard_size``, ``format`` (``'safetensors'`` or ``'npz'``)
            and anything that must not change between the runs that fill one store.

    Raises:
        ValueError: If the folder holds features of another description; the differing keys are named.
    """

    def __init__(self, folder: str | Path, description: dict) -> None:
        self.folder, self.description = Path(folder), description
        self.num_shards = math.ceil(description['num_videos'] / description['shard_size'])
        path = self.folder / _DESCRIPTION
        if path.is_file():
            present = json.loads(path.read_text())
            different = [key for key in {**present, **description} if present.get(key) != description.get(key)]
            if different:
                changes = ', '.join(f'{key}: {present.get(key)} there, {description.get(key)} now' for key in different)
                raise ValueError(f'{self.folder} holds other features ({changes}): choose another folder or delete it')
        else:
            write_atomically(path, lambda name: Path(name).write_text(json.dumps(description, indent=1)))

    @classmethod
    def open(cls, folder: str | Path) -> 'FeatureStore':
        """Open an existing store.

        Raises:
            FileNotFoundError: If the folder holds no store.
        """
        path = Path(folder) / _DESCRIPTION
        if not path.is_file():
            raise FileNotFoundError(f'no features in {folder} (no {_DESCRIPTION}): run tools/extract_features.py first')
        return cls(folder, json.loads(path.read_text()))

    def shard_path(self, number: int) -> Path:
        """The file of a shard."""
        return self.folder / f'shard_{number:05d}.{self.description["format"]}'

    def rows(self, number: int) -> range:
        """Which videos of the list belong to a shard."""
        size = self.description['shard_size']
        return range(number * size, min((number + 1) * size, self.description['num_videos']))

    def missing_shards(self) -> list[int]:
        """The shards that are yet to be written."""
        return [number for number in range(self.num_shards) if not self.shard_path(number).is_file()]

    def write(
        self, number: int, features: Tensor, labels: Tensor, paths: Sequence[str], failed: Sequence[tuple[str, str]]
    ) -> None:
        """Write a shard; it is there as a whole or not at all."""
        names = json.dumps(dict(paths=list(paths), failed=[list(item) for item in failed]))
        if self.description['format'] == 'npz':

            def save(name: str) -> None:
                with open(name, 'wb') as file:  # numpy appends a suffix to names, not to files
                    np.savez(file, features=features.numpy(), labels=labels.numpy(), names=np.array(names))

        else:

            def save(name: str) -> None:
                save_file(dict(features=features.contiguous(), labels=labels), name, metadata=dict(names=names))

        write_atomically(self.shard_path(number), save)

    def load(self) -> Features:
        """All features.

        Raises:
            RuntimeError: If shards are missing.
        """
        missing = self.missing_shards()
        if missing:
            raise RuntimeError(
                f'{len(missing)} of {self.num_shards} shards in {self.folder} are missing: run the extraction again, '
                'it goes on where it stopped'
            )
        features, labels, paths, failed = [], [], [], []
        for number in range(self.num_shards):
            arrays, names = self._read(number)
            features.append(arrays['features'])
            labels.append(arrays['labels'])
            paths += names['paths']
            failed += [tuple(item) for item in names['failed']]
        filled = [part for part in features if len(part)]
        return Features(torch.cat(filled or features), torch.cat(labels), paths, failed)

    def _read(self, number: int) -> tuple[dict[str, Tensor], dict]:
        path = self.shard_path(number)
        if path.suffix == '.npz':
            with np.load(path) as file:
                arrays = {key: torch.from_numpy(file[key]) for key in ('features', 'labels')}
                return arrays, json.loads(str(file['names']))
        with safe_open(path, 'pt') as file:
            return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()['names'])


def load_pair(train: str | Path, val: str | Path) -> tuple[Features, Features]:
    """Features to learn from and to evaluate, of the same model and of different videos.

    Args:
        train: Folder of the former.
        val: Folder of the latter.

    Raises:
        FileNotFoundError: If a folder holds no store.
        RuntimeError: If shards are missing.
        ValueError: If model, checkpoint or pooling differ, or a video is in both.
    """
    stores = [FeatureStore.open(folder) for folder in (train, val)]
    of_train, of_val = (store.description for store in stores)
    different = [key for key in ('model', 'checkpoint', 'pooling') if of_train.get(key) != of_val.get(key)]
    if different:
        changes = ', '.join(f'{key}: {of_train.get(key)} and {of_val.get(key)}' for key in different)
        raise ValueError(f'the features in {train} and {val} do not compare ({changes}): extract both with one model')
    learnt, evaluated = (store.load() for store in stores)
    shared = sorted(set(learnt.paths) & set(evaluated.paths))
    if shared:
        raise ValueError(
            f'{len(shared)} of the {len(evaluated.paths)} videos to evaluate, in {val}, are among those to learn from, '
            f'in {train}: {", ".join(shared[:3])}'
        )
    return learnt, evaluated


def digest(settings: Any) -> str:
    """A short name of settings that differs if they do: configs of models and data sets."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]


def file_digest(path: str | Path) -> str:
    """A short name of a file's content.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    content = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 22):
            content.update(block)
    return content.hexdigest()[:16]
