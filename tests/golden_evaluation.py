"""Golden vectors of the evaluation protocols: inputs, what the original implementations returned, tolerances."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

FOLDER = Path(__file__).parent / 'golden' / 'evaluation'


class Case(NamedTuple):
    """Arrays by name, ``in_*`` and ``out_*``, and the manifest's tolerance. Shared: not to be written to."""

    arrays: dict[str, np.ndarray]
    tolerance: Any

    def tensor(self, name: str) -> torch.Tensor:
        """One of the arrays as a tensor of its own."""
        return torch.from_numpy(self.arrays[name].copy())


@cache
def load_case(name: str) -> Case:
    """Load a golden case by its name in the manifest."""
    cases = json.loads((FOLDER / 'manifest.json').read_text())['cases']
    entry = next(case for case in cases if case['name'] == name)
    return Case(dict(np.load(FOLDER / entry['file'])), entry['tolerance'])
