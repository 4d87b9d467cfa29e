"""Collation of samples into batches."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import pseudo_collate

from mmsigma.registry import register_function


@register_function
def flatten_collate(batch: Sequence[Any]) -> Any:
    """Collate as mmengine's ``pseudo_collate``, for items that may be lists of samples, as from ``RepeatAugment``."""
    return pseudo_collate([sample for item in batch for sample in (item if isinstance(item, list) else [item])])
