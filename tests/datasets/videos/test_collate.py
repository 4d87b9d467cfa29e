"""Batches of samples, of which an item may be several."""

from types import SimpleNamespace

import torch
from mmaction.structures import ActionDataSample

from mmsigma.datasets.videos.collate import flatten_collate, samples_per_item
from mmsigma.registry import FUNCTIONS


def sample(number: int) -> dict:
    return dict(inputs=torch.full((2,), number), data_samples=ActionDataSample(metainfo=dict(number=number)))


def test_lists_of_samples_are_taken_apart_in_order() -> None:
    batch = flatten_collate([[sample(0), sample(1)], sample(2), [sample(3)]])
    assert [clip.tolist() for clip in batch['inputs']] == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert [one.number for one in batch['data_samples']] == [0, 1, 2, 3]


def test_clips_of_unequal_lengths_are_not_stacked() -> None:
    batch = flatten_collate([dict(inputs=torch.zeros(3)), [dict(inputs=torch.zeros(5))]])
    assert [len(clip) for clip in batch['inputs']] == [3, 5]


def test_configs_name_it() -> None:
    assert FUNCTIONS.get('flatten_collate') is flatten_collate


def test_items_of_repeated_augmentation_are_several_samples() -> None:
    steps = [SimpleNamespace(), SimpleNamespace(num_repeats=3)]
    repeated = SimpleNamespace(pipeline=SimpleNamespace(transforms=steps))
    assert samples_per_item(repeated) == 3
    assert samples_per_item(SimpleNamespace(dataset=repeated)) == 3  # wrapped
    assert samples_per_item(SimpleNamespace(pipeline=SimpleNamespace(transforms=steps[:1]))) == 1
    assert samples_per_item([1, 2]) == 1
