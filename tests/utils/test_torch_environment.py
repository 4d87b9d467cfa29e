"""Commands let threads that wait give their core away and tensors have large pages, before PyTorch is imported."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmsigma.utils.torch_environment import set_torch_environment

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'THP_MEM_ALLOC_ENABLE')
PAGES_OF_LINUX = Path('/sys/kernel/mm/transparent_hugepage/enabled')
PAGES = {'THP_MEM_ALLOC_ENABLE': '1'}


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ({}, {'GOMP_SPINCOUNT': '3000', **PAGES}),
        ({'GOMP_SPINCOUNT': '7'}, {'GOMP_SPINCOUNT': '7', **PAGES}),
        ({'OMP_WAIT_POLICY': 'ACTIVE'}, {'OMP_WAIT_POLICY': 'ACTIVE', **PAGES}),
        ({'THP_MEM_ALLOC_ENABLE': '0'}, {'GOMP_SPINCOUNT': '3000', 'THP_MEM_ALLOC_ENABLE': '0'}),
    ],
)
def test_what_a_user_has_set_remains(monkeypatch: pytest.MonkeyPatch, before: dict, after: dict) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, '')  # so that what the function sets is undone
        monkeypatch.delenv(name)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    set_torch_environment()
    assert {name: os.environ[name] for name in NAMES if name in os.environ} == after


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason="PyTorch has GNU's OpenMP on Linux")
def test_openmp_takes_it() -> None:
    """What GNU's OpenMP says of itself when PyTorch loads it."""
    code = 'from mmsigma.utils.torch_environment import set_torch_environment; set_torch_environment(); import torch'
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={**environment, 'OMP_DISPLAY_ENV': 'verbose'},
        capture_output=True,
        text=True,
        check=True,
    )
    if 'GOMP_SPINCOUNT' not in done.stderr:
        pytest.skip('this PyTorch has another OpenMP')
    assert re.search(r"GOMP_SPINCOUNT = '3000'", done.stderr)


@pytest.mark.skipif(
    '[madvise]' not in (PAGES_OF_LINUX.read_text() if PAGES_OF_LINUX.exists() else ''),
    reason='Linux gives large pages to all processes here, or to none',
)
def test_large_tensors_have_large_pages() -> None:
    """What Linux says of the memory of a process with a tensor of 64 MB."""
    code = (
        'from mmsigma.utils.torch_environment import set_torch_environment; set_torch_environment(); import torch; '
        'kept = torch.zeros(16 << 20); print(open("/proc/self/smaps_rollup").read())'
    )
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}

    def large_pages_kb(values: dict) -> int:
        done = subprocess.run(
            [sys.executable, '-c', code], env={**environment, **values}, capture_output=True, text=True, check=True
        )
        return int(re.search(r'AnonHugePages: *(\d+) kB', done.stdout)[1])

    assert large_pages_kb({'THP_MEM_ALLOC_ENABLE': '0'}) < 32 << 10
    if not large_pages_kb({}):
        pytest.skip('Linux has no large page to give now')
    assert large_pages_kb({}) > 32 << 10


@pytest.mark.parametrize(
    'script',
    ['train', 'test', 'sweep', 'extract_features', 'predict', 'probe', 'report', 'app', 'visualize_prototypes'],
)
def test_commands_that_compute_call_it_first(script: str) -> None:
    text = (ROOT / 'tools' / f'{script}.py').read_text()
    main = text[text.index('def main') :]
    first = main.index('set_torch_environment()')
    assert all(first < main.index(name) for name in ('import ', 'run(') if name in main)
    top = text[: text.index('def ')]
    assert not re.search(r'^(import|from) (torch|mmengine)', top, re.MULTILINE)
