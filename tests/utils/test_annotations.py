"""Values against annotations."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from torch import nn

from mmsigma.utils.annotations import annotations_of, mismatch


@pytest.mark.parametrize(
    ('value', 'annotation'),
    [
        (1, int), (np.int64(1), int), (1, float), (1.5, float), (True, bool), ('a', str), (None, int | None),
        ('a', Literal['a', 'b']), ([1, 2], tuple[int, int]), ((1, 2, 3), tuple[int, ...]),
        ([1.0, 2], Sequence[float]), ([], list[int]), ([[1], [2]], Sequence[Sequence[int]]), (['a'], Sequence[str]),
        (dict(type='X'), nn.Module), (dict(type='X'), nn.Module | None), ('anything', Any), (3, Callable),
        (1.5, float | str), ('a', str | Path), ('a', Path | None), (Path('a'), Path), (float('inf'), float),
        (dict(a=1), dict[str, int]), ([dict(type='X')], Sequence[dict]),
    ],
)  # fmt: skip
def test_what_fits(value: Any, annotation: Any) -> None:
    assert mismatch(value, annotation) == ''


@pytest.mark.parametrize(
    ('value', 'annotation', 'expected'),
    [
        ('abc', int, 'an integer'),
        (1.5, int, 'an integer'),
        (True, int, 'an integer'),
        (1, bool, 'True or False'),
        ('abc', float, 'a number'),
        (None, float, 'a number'),
        ('c', Literal['a', 'b'], "one of 'a', 'b'"),
        ('abc', float | None, 'a number or None'),
        ([1, 2, 3], tuple[int, int], '2 values'),
        ([1, 'a'], tuple[int, int], '2 values'),
        (['a'], Sequence[float], 'a list, each item a number'),
        (3, Sequence[float], 'a list, each item a number'),
        ('abc', list[int], 'a list, each item an integer'),
        (5, str, 'a string'),
        ({}, int, 'an integer'),
        (3, Path | None, 'a path or None'),
        ('abc', dict[str, int], 'a dict'),
        ([1], dict, 'a dict'),
    ],
)
def test_what_does_not_fit(value: Any, annotation: Any, expected: str) -> None:
    assert mismatch(value, annotation) == expected


class Base:
    def __init__(self, size: int, name: str = 'a') -> None: ...


class Child(Base):
    def __init__(self, rate: float, name: int = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)


def test_annotations_of_a_class_and_its_bases() -> None:
    found = annotations_of(Child)
    assert found['size'] is int and found['rate'] is float and 'return' not in found
    assert mismatch(None, found['name']) == '' and mismatch('a', found['name']) == 'an integer or None'


def test_annotations_that_cannot_be_evaluated_are_left_out() -> None:
    def function(a: 'Unknown', b: int) -> None: ...  # noqa: F821

    assert annotations_of(function) == {}
