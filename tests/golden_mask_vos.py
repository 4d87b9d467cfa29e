"""Golden vectors of Mask-VOS, label propagation and the DAVIS metrics; some are made from DAVIS and not kept here."""

import json
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from tests.golden_tolerances import Tolerance

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

    def assert_close(self, found: Any, name: str, part: str | None = None) -> None:
        """Compare with one of the arrays, by the manifest's tolerance of all arrays or of a ``part`` of them."""
        Tolerance.read(self.entry['tolerance'], part).assert_close(found, self.arrays[name], msg=self._message(name))

    def _message(self, name: str) -> Callable[[str], str]:
        return lambda message: f'{self.entry["name"]}, {name}: {message}'


@cache
def load_vectors(name: str) -> Vectors:
    """Load vectors by their name in the manifest; skips the test where they are not at hand."""
    entries = json.loads((FOLDER / 'manifest.json').read_text())['entries']
    entry = next(entry for entry in entries if entry['name'] == name)
    path = next((path for path in (FOLDER / entry['file'], SHARED / entry['file']) if path.is_file()), None)
    if path is None:
        pytest.skip(f'{entry["file"]} is made from DAVIS and not at hand')
    return Vectors(dict(np.load(path)), entry)


def hashed(tag: str, name: str, shape: torch.Size) -> torch.Tensor:
    """A parameter by the rule of the golden vectors: a hash of its name and of the element's number."""
    numbers = np.arange(int(np.prod(shape)), dtype=np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    x = (numbers * np.uint64(0x9E3779B1) + np.uint64(zlib.crc32(f'{tag}:{name}'.encode()))) & mask
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        x = ((x ^ (x >> np.uint64(shift))) * np.uint64(factor)) & mask
    u = ((x ^ (x >> np.uint64(16))).astype(np.float64) + 0.5) / 2**32 * 2 - 1
    if name.endswith('running_var') or (len(shape) <= 1 and name.endswith('weight')):
        u = 1 + 0.2 * u
    elif name.endswith('running_mean'):
        u = 0.1 * u
    elif len(shape) <= 1:
        u = 0.1 * u
    else:
        u = u * np.sqrt(3 / np.prod(shape[1:]))
    return torch.from_numpy(u.reshape(shape)).float()


def fill(network: nn.Module, tag: str, prefix: str = '', rename: Callable[[str], str] = str) -> nn.Module:
    """Give a network the parameters of a golden vector, whose names are ``prefix`` and our own, renamed."""
    state = network.state_dict()
    network.load_state_dict(
        {
            name: value if name.endswith('num_batches_tracked') else hashed(tag, prefix + rename(name), value.shape)
            for name, value in state.items()
        }
    )
    return network.eval()


def assert_probes(vectors: Vectors, name: str, found: torch.Tensor) -> None:
    """Compare with what is stored of a large tensor: some of its values, and the moments of all."""
    assert found.shape == tuple(vectors.arrays[f'{name}_shape'])
    vectors.assert_close(found.flatten()[vectors.tensor(f'{name}_probe_idx')], f'{name}_probe_val')
    values = found.detach().double()
    moments = [values.mean(), values.std(unbiased=False), values.abs().max(), values.norm()]
    vectors.assert_close(torch.stack(moments), f'{name}_stats')
