"""What all tests share: golden vectors, real videos where there are any, and fixed seeds."""

import json
import os
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

if 'PYTEST_XDIST_WORKER' in os.environ:  # there is a worker for every core
    os.environ.setdefault('OMP_NUM_THREADS', '1')

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.golden_tolerances import Tolerance
from tests.scripts import ROOT, Result, run_script

GOLDEN = Path(__file__).parent / 'golden' / 'sigma'


class Golden(NamedTuple):
    """A golden vector: ``arrays`` by name, or whatever a JSON file holds, and its ``entry`` in the manifest."""

    arrays: Any
    entry: dict[str, Any]

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """The arrays below a prefix, ``sd/`` for one, as tensors of their own and without that prefix."""
        return {
            name.removeprefix(prefix): torch.from_numpy(array.copy())
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def assert_close(self, found: Any, name: str, part: str | None = None) -> None:
        """Compare with one of the arrays, by the manifest's tolerance, of all arrays or of the ``part`` named there."""
        expected = self.arrays[name]
        tolerance = Tolerance.read(self.entry['tolerance'], part)
        tolerance.assert_close(found, expected, msg=lambda message: f'{self.entry["name"]}, {name}: {message}')


@cache
def load_golden(name: str) -> Golden:
    entries = json.loads((GOLDEN / 'manifest.json').read_text())['entries']
    entry = next(entry for entry in entries if entry['name'] == name)
    path = GOLDEN / entry['file']
    arrays = json.loads(path.read_text()) if path.suffix == '.json' else dict(np.load(path))
    return Golden(arrays, entry)


def golden_cases(name: str) -> dict[str, Any]:
    """The cases of a vector by name: items of a JSON file, or the arrays of a case with its entry in the manifest."""
    golden = load_golden(name)
    if isinstance(golden.arrays, list):
        return {str(number): item for number, item in enumerate(golden.arrays)}
    if 'cases' not in golden.entry:
        return golden.arrays
    return {
        case: Golden(
            {key.partition('/')[2]: golden.arrays[key] for key in golden.arrays if key.split('/')[0] == case}, c
        )
        for case, c in golden.entry['cases'].items()
    }


class Allocations(TorchDispatchMode):
    """While active, records in ``sizes`` how many elements every newly allocated tensor has."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if torch.is_tensor(leaf)}
        out = func(*args, **(kwargs or {}))
        made = (leaf for leaf in tree_leaves(out) if torch.is_tensor(leaf))
        self.sizes += [leaf.numel() for leaf in made if leaf.untyped_storage()._cdata not in given]
        return out


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line('markers', 'golden_cases(name): run once per case of a golden vector, as `golden_case`')


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if marker := metafunc.definition.get_closest_marker('golden_cases'):
        cases = golden_cases(marker.args[0])
        metafunc.parametrize('golden_case', cases.values(), ids=cases.keys())


@pytest.fixture(scope='session')
def golden() -> Callable[[str], Golden]:
    """Loads a golden vector by name; its arrays are shared between tests and must not be written to."""
    return load_golden


@pytest.fixture(scope='session')
def repository() -> Path:
    return ROOT


@pytest.fixture(scope='session')
def run_tool() -> Callable[..., Result]:
    """Runs a script of the repository, given by its path, with command-line arguments, in this process."""
    return run_script


@pytest.fixture(scope='session')
def shared_videos() -> list[Path]:
    """Real clips in several containers, which are not part of the repository."""
    folder = ROOT.parent / 'shared' / 'data' / 'videos'
    videos = sorted(folder.glob('*.*')) if folder.is_dir() else []
    if not videos:
        pytest.skip(f'no real videos in {folder}')
    return videos


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def allocations() -> Allocations:
    return Allocations()


@pytest.fixture
def warnings_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Messages of the warnings that mmengine's logger was given; pytest's ``caplog`` does not see that logger."""
    messages: list[str] = []
    monkeypatch.setattr(MMLogger, 'warning', lambda self, message, *args: messages.append(message))
    yield messages
