"""From samples to batches."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import pseudo_collate

from mmsigma.registry import FUNCTIONS


@FUNCTIONS.register_module()
def flatten_collate(batch: Sequence[Any]) -> Any:
    """mmengine's ``pseudo_collate`` for data sets whose items are lists of samples, as :class:`RepeatAugment` makes."""
    return pseudo_collate([sample for item in batch for sample in (item if isinstance(item, list) else [item])])
