"""Checks of datasets at the start of a run, so that faults of lists and masks are found before hours of work."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mmsigma.io.masks import VOID, mask_ids

_MAX_MASKS = 200
_PREDICT = '. To label videos with a trained classifier, use "mmsigma predict"'


def check_labels(dataset: Any, num_classes: int | None, place: str, *, required: bool = True) -> None:
    """Check that the videos of a list have labels of the model's classes.

    Datasets without lists of labels are not checked.

    Args:
        dataset: Dataset, possibly wrapped in others.
        num_classes: Number of classes of the model; None if any label will do.
        place: Name of the dataset for messages.
        required: Whether every video must have a label.

    Raises:
        ValueError: If a label is missing or out of range; the message counts them and names the first.
    """
    unknown, beyond = [], []
    total = 0
    for name, labels in _listed_labels(_innermost(dataset)):
        total += 1
        if required and min(labels, default=0) < 0:
            unknown.append(name)
        if num_classes is not None and max(labels, default=0) >= num_classes:
            beyond.append((name, max(labels)))
    if beyond:
        name, label = max(beyond, key=lambda item: item[1])
        raise ValueError(
            f'{len(beyond)} of {total} videos of {place} have labels out of range, for example {name} with {label}: '
            f'the model has {num_classes} classes, with labels from 0 to {num_classes - 1 if num_classes else 0}. '
            'Correct the list, whose label may be another column, or set num_classes'
        )
    if unknown:
        raise ValueError(
            f'{len(unknown)} of {total} videos of {place} have no label, for example {unknown[0]}: write lists with '
            f'"path label" lines, and set ann_file to them{_PREDICT if place == "test_dataloader" else ""}'
        )


def check_masks(dataset: Any, place: str) -> None:
    """Check the first masks of segmented videos, at most about two hundred.

    A mask that cannot be read or has no object is a warning, since the other videos can be evaluated.

    Args:
        dataset: Dataset, possibly wrapped in others.
        place: Name of the dataset for messages.

    Raises:
        ValueError: If a mask is in black and white where 255 means void; the message names it and the remedy.
    """
    sequences = [one for one in getattr(_innermost(dataset), 'sequences', ()) if hasattr(one, 'read_mask')]
    for sequence in sequences[:: max(1, len(sequences) // _MAX_MASKS)]:
        number = min(sequence.given)
        try:
            present = set(mask_ids(sequence.read_mask(number)))
        except ValueError as error:
            MMLogger.get_current_instance().warning(f'{place}, {sequence.name}: {error}')
            continue
        if present - {0} == {VOID}:
            raise ValueError(
                f'{place}, {sequence.name}: {sequence.masks[number]} is in black and white, but its 255 is void, the '
                "id of no object. Masks of one object need year=2016 (layout 'davis') or binary=True (layout "
                "'folders'), for example --cfg-options test_dataloader.dataset.year=2016"
            )
        if not present - {0, VOID}:
            MMLogger.get_current_instance().warning(
                f'{place}, {sequence.name}: there is no object in {sequence.masks[number]}'
            )


def _innermost(dataset: Any) -> Any:
    while not hasattr(dataset, 'get_data_info') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    return dataset


def _listed_labels(dataset: Any) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield path and labels of every video; -1 where there is none."""
    if not hasattr(dataset, 'get_data_info'):
        return
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if 'actions' in info:
            yield info['filename'], [action[0] for action in info['actions']]
        elif isinstance(label := info.get('label'), int):
            yield info['filename'], [label]
        elif label is not None:  # one value per class
            yield info['filename'], np.flatnonzero(np.asarray(label)).tolist() or [-1]
