"""Stores of features that grow: by the new videos of a longer list, and by other stores. Shards are never rewritten."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mmsigma.io.atomic import make_folder, write_atomically
from mmsigma.io.feature_store import (
    DESCRIPTION,
    OF_LISTS,
    FeatureStore,
    StoredFeatures,
    check_comparable,
    differences,
    digest,
    parts_of,
    write_description,
)
from mmsigma.io.shards import exists
from mmsigma.io.text import read_json


def is_store(folder: str | Path) -> bool:
    """Return whether a folder has features."""
    return Path(folder, DESCRIPTION).is_file()


def grow(
    folder: str | Path, description: dict[str, Any], infos: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], list[int]]:
    """Describe a store with the videos of a list that it does not have yet, as another part.

    Nothing is written. If the list is that of the part that was added last, this part is completed.

    Args:
        folder: Folder of the store.
        description: Description of a store of the whole list, with a digest ``videos`` of the list.
        infos: What is known of each video of the list: ``filename`` and, if it has one, ``label``.

    Returns:
        Description of the store with the new videos, and their numbers in the list.

    Raises:
        ValueError: If the store has features of another kind, or videos with other labels, or names them relative to
            another folder, or the list is one of segments, of which a file may have several.
        RuntimeError: If shards of earlier parts are missing.
    """
    present = read_json(Path(folder) / DESCRIPTION)
    if different := differences(present, description, OF_LISTS):
        changes = ', '.join(f'{key}: {there} there, {now} now' for key, (there, now) in different.items())
        raise ValueError(
            f'videos cannot be added to {folder}, which has other features ({changes}): choose another folder'
        )
    parts = parts_of(present)
    is_last = present.get('videos') == description['videos']
    earlier = parts[:-1] if is_last else parts
    known = _labels_of(FeatureStore.open(folder), earlier)
    places = []
    for place, info in enumerate(infos):
        if 'segment_frames' in info:
            raise ValueError(f'{info["filename"]} is listed by segments, which cannot be added: extract them anew')
        path = os.path.abspath(info['filename'])
        label = info['label'] if isinstance(info.get('label'), int) else -1
        if path not in known:
            places.append(place)
        elif known[path] not in (None, label):
            raise ValueError(
                f'{path} has the label {known[path]} in {folder}, but {label} in the list: correct the list'
            )
    if is_last or not places:
        return present, places
    added = dict(num_videos=len(places), shard_size=description['shard_size'])
    total = sum(part['num_videos'] for part in earlier) + len(places)
    origin = _origin(present, description)
    return {**description, 'num_videos': total, 'parts': [*earlier, added], **origin}, places


def _labels_of(store: FeatureStore, parts: Sequence[dict[str, int]]) -> dict[str, int | None]:
    """Return the labels of the videos of the first parts of a store; None for those that could not be read."""
    count = sum(-(-part['num_videos'] // part['shard_size']) for part in parts)
    stored = store.open_rows(count) if count else None
    if stored is None:
        return {}
    relative = [path for path in stored.paths if not os.path.isabs(path)]
    some = relative[:: max(1, len(relative) // 100)]
    if some and not any(map(exists, some)):  # they would not be known again, and be added once more
        raise ValueError(
            f'{store.folder} names videos relative to the folder in which they were extracted, for example {some[0]}, '
            'which does not exist from here: run the command in that folder'
        )
    known: dict[str, int | None] = {os.path.abspath(path): None for path, _ in stored.failed}
    return known | dict(zip(map(os.path.abspath, stored.paths), stored.labels.tolist(), strict=True))


def merge_stores(folders: Sequence[str | Path], out: str | Path) -> StoredFeatures:
    """Make a store of the features of several, in their order. Shards are linked, or copied where that is not possible.

    Args:
        folders: Folders of complete stores of the same model and views.
        out: Folder of the store to make.

    Returns:
        Its features.

    Raises:
        FileNotFoundError: If a folder contains no store.
        RuntimeError: If shards are missing or damaged.
        ValueError: If the stores have features of other kinds, or videos in common, or ``out`` has a store.
    """
    out, stores = Path(out), [FeatureStore.open(folder) for folder in folders]
    if is_store(out):
        raise ValueError(f'{out} contains features already: choose another folder')
    first, *others = (store.description for store in stores)
    for store, description in zip(stores[1:], others, strict=True):
        check_comparable(stores[0].folder, first, store.folder, description, OF_LISTS)
    _check_distinct(stores)
    parts = [part for store in stores for part in store.parts]
    description = {
        **first,
        'num_videos': sum(part['num_videos'] for part in parts),
        'videos': digest([store.description.get('videos') for store in stores]),
        'parts': parts,
        **_origin(first, *others),
    }
    make_folder(out)
    sources = [store.shard_path(number) for store in stores for number in range(store.num_shards)]
    for stale in out.glob('shard_*'):  # of a merging that was stopped; a later growth would take them for its own
        stale.unlink()
    for number, source in enumerate(sources):
        _link(source, out / f'shard_{number:05d}{source.suffix}')
    write_description(out, description)  # last, so that a store is complete as soon as it is one
    return FeatureStore.open(out).open_rows()


def _origin(*descriptions: dict[str, Any]) -> dict[str, Any]:
    """Return where several stores come from: all lists of videos, and the classes if all have the same."""
    told = [description['made_with'] for description in descriptions if 'made_with' in description]
    if not told:
        return {}
    videos = '; '.join(dict.fromkeys(one['videos'] for one in told))
    classes = told[0]['classes'] if all(one['classes'] == told[0]['classes'] for one in told) else []
    return dict(made_with={**told[0], 'videos': videos, 'classes': classes})


def _check_distinct(stores: Sequence[FeatureStore]) -> None:
    owners: dict[str, FeatureStore] = {}
    for store in stores:
        stored = store.open_rows()
        for path in {os.path.abspath(path) for path in (*stored.paths, *(path for path, _ in stored.failed))}:
            if (other := owners.setdefault(path, store)) is not store:
                raise ValueError(
                    f'{path} is both in {other.folder} and in {store.folder}: merge stores of different videos'
                )


def _link(source: Path, target: Path) -> None:
    with suppress(OSError):  # another file system, or one without links
        os.link(source.resolve(), target)  # not a link to a symbolic link, which may not lead there from here
        return
    write_atomically(target, partial(shutil.copyfile, source))
