"""Collation of samples into batches."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import pseudo_collate

from mmsigma.registry import register_function


@register_function
def flatten_collate(batch: Sequence[Any]) -> Any:
    """Collate as mmengine's ``pseudo_collate``, for items that may be lists of samples, as from ``RepeatAugment``."""
    return pseudo_collate([sample for item in batch for sample in (item if isinstance(item, list) else [item])])


def samples_per_item(dataset: Any) -> int:
    """Return how many samples an item of a dataset becomes: several, if its pipeline repeats augmentation."""
    while not hasattr(dataset, 'pipeline') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', None)
    return getattr(steps[-1], 'num_repeats', 1) if steps else 1
