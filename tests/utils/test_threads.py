"""Commands let threads that wait give their core away, before PyTorch starts them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmsigma.utils.threads import spin_briefly

ROOT = Path(__file__).resolve().parents[2]
NAMES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')


@pytest.mark.parametrize(
    ('before', 'after'),
    [
        ({}, {'GOMP_SPINCOUNT': '3000'}),
        ({'GOMP_SPINCOUNT': '7'}, {'GOMP_SPINCOUNT': '7'}),
        ({'OMP_WAIT_POLICY': 'ACTIVE'}, {'OMP_WAIT_POLICY': 'ACTIVE'}),
    ],
)
def test_what_a_user_has_set_remains(monkeypatch: pytest.MonkeyPatch, before: dict, after: dict) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, '')  # so that what the function sets is undone
        monkeypatch.delenv(name)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    spin_briefly()
    assert {name: os.environ[name] for name in NAMES if name in os.environ} == after


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason="PyTorch has GNU's OpenMP on Linux")
def test_openmp_takes_it() -> None:
    """What GNU's OpenMP says of itself when PyTorch loads it."""
    code = 'from mmsigma.utils.threads import spin_briefly; spin_briefly(); import torch'
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


@pytest.mark.parametrize(
    'script',
    ['train', 'test', 'sweep', 'extract_features', 'predict', 'probe', 'report', 'app', 'visualize_prototypes'],
)
def test_commands_that_compute_call_it_first(script: str) -> None:
    text = (ROOT / 'tools' / f'{script}.py').read_text()
    main = text[text.index('def main') :]
    first = main.index('spin_briefly()')
    assert all(first < main.index(name) for name in ('import ', 'run(') if name in main)
    top = text[: text.index('def ')]
    assert not re.search(r'^(import|from) (torch|mmengine)', top, re.MULTILINE)
