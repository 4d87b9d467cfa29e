"""Golden vectors of the evaluation protocols: inputs, outputs of the originals, tolerances; not all are kept here."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parent / 'golden' / 'evaluation'
SHARED = Path(__file__).resolve().parents[2] / 'shared' / 'golden' / 'evaluation'


class Case(NamedTuple):
    """Arrays by name, ``in_*`` and ``out_*``, and the manifest's tolerance. Shared: not to be written to."""

    arrays: dict[str, np.ndarray]
    tolerance: Any

    def tensor(self, name: str) -> torch.Tensor:
        """One of the arrays as a tensor of its own."""
        return torch.from_numpy(self.arrays[name].copy())


@cache
def load_case(name: str) -> Case:
    """Load a golden case by its name in the manifest; skips the test where it is not at hand."""
    cases = json.loads((FOLDER / 'manifest.json').read_text())['cases']
    entry = next(case for case in cases if case['name'] == name)
    path = next((path for path in (FOLDER / entry['file'], SHARED / entry['file']) if path.is_file()), None)
    if path is None:
        pytest.skip(f'{entry["file"]} is made from DAVIS and not at hand')
    return Case(dict(np.load(path)), entry['tolerance'])
