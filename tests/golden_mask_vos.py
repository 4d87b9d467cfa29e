"""Golden vectors of Mask-VOS, label propagation and the DAVIS metrics; some are made from DAVIS and not kept here."""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).parent / 'golden' / 'mask_vos'
SHARED = Path(__file__).resolve().parents[2] / 'shared' / 'golden' / 'mask_vos'


class Vectors(NamedTuple):
    """Arrays by name, ``in_*``, ``par_*`` and ``out_*``, and the ``entry`` of the manifest. Not to be written to."""

    arrays: dict[str, np.ndarray]
    entry: dict[str, Any]

    def tensor(self, name: str) -> torch.Tensor:
        """One of the arrays as a tensor of its own."""
        return torch.from_numpy(self.arrays[name].copy())

    def cells(self, name: str) -> torch.Tensor:
        """An array (..., C, h, w) with the channels last."""
        return self.tensor(name).movedim(-3, -1).contiguous()


@cache
def load_vectors(name: str) -> Vectors:
    """Load vectors by their name in the manifest; skips the test where they are not at hand."""
    entries = json.loads((FOLDER / 'manifest.json').read_text())['entries']
    entry = next(entry for entry in entries if entry['name'] == name)
    path = next((path for path in (FOLDER / entry['file'], SHARED / entry['file']) if path.is_file()), None)
    if path is None:
        pytest.skip(f'{entry["file"]} is made from DAVIS and not at hand')
    return Vectors(dict(np.load(path)), entry)
