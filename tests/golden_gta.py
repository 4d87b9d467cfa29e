"""Golden vectors of GTA, its baselines and its evaluation: inputs, what the originals returned, parameters."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tests.golden_tolerances import Tolerance

FOLDER = Path(__file__).parent / 'golden' / 'gta'


class Case(NamedTuple):
    """One case of a file; arrays by their logical name. Shared: not to be written to."""

    file: str
    name: str
    params: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def tensor(self, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
        """One of the arrays as a tensor of its own."""
        return torch.tensor(self.arrays[name], dtype=dtype)

    def assert_close(self, found: Any, name: str, part: str, atol: float = 0.0) -> None:
        """Compare with one of the arrays, by the manifest's tolerance of such arrays; ``atol`` is added to it."""
        tolerance = Tolerance.read(_files()[f'{self.file}.npz']['tolerance'], part)
        tolerance = tolerance._replace(absolute=tolerance.absolute + atol)
        tolerance.assert_close(found, self.arrays[name], msg=lambda message: f'{self.name}, {name}: {message}')

    def __contains__(self, name: object) -> bool:
        return name in self.arrays


@cache
def _files() -> dict[str, Any]:
    return {entry['file']: entry for entry in json.loads((FOLDER / 'manifest.json').read_text())['files']}


@cache
def load_arrays(file: str) -> dict[str, np.ndarray]:
    """All arrays of a file by their own names."""
    return dict(np.load(FOLDER / f'{file}.npz'))


@cache
def load_cases(file: str) -> list[Case]:
    """The cases of a file of the manifest, by its name without ending."""
    arrays = load_arrays(file)
    return [
        Case(
            file,
            case['name'],
            case['params'],
            {name: arrays[key] for side in ('in', 'out') for name, (key, *_) in case[side].items()},
        )
        for case in _files()[f'{file}.npz']['cases']
    ]


def case_names(file: str) -> list[str]:
    """Names of the cases of a file, to parametrize a test with."""
    return [case['name'] for case in _files()[f'{file}.npz']['cases']]


def load_case(file: str, name: str) -> Case:
    """One case of a file."""
    return next(case for case in load_cases(file) if case.name == name)


@cache
def checkpoint_map() -> dict[str, dict[str, Any]]:
    """Name and shape of each variable of the released network, by its key in a TensorFlow checkpoint."""
    return json.loads((FOLDER / 'checkpoint_map.json').read_text())['keys']
