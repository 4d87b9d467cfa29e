"""The tests themselves: scripts in this process neither see nor change its state, and no folder is left out."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from tests.scripts import restored_state, run_script

SCRIPT = """
import os, random, sys
import cv2, numpy, torch
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

print(sys.argv[1:], os.getcwd(), DefaultScope.get_current_instance(), MMLogger.check_instance_created('outer'))
print('warned', file=sys.stderr)
os.environ['OF_A_SCRIPT'] = 'yes'
os.chdir('/')
random.seed(5), numpy.random.seed(5), torch.manual_seed(5)
torch.set_num_threads(torch.get_num_threads() + 1)
torch.use_deterministic_algorithms(True)
torch.backends.cudnn.benchmark = not torch.backends.cudnn.benchmark
cv2.setNumThreads(cv2.getNumThreads() + 1)
DefaultScope.get_instance('inner', scope_name='inner')
MMLogger.get_instance('inner', log_file=sys.argv[1]).warning('logged')
sys.exit({code})
"""


@pytest.fixture(autouse=True)
def _scopes_of_these_tests() -> Iterator[None]:
    with restored_state():
        yield


def state() -> list:
    return [
        sys.argv,
        dict(os.environ),
        os.getcwd(),
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
        cv2.getNumThreads(),
        DefaultScope.get_current_instance(),
        MMLogger.get_current_instance(),
        MMLogger.check_instance_created('inner'),
    ]


@pytest.mark.parametrize(
    ('code', 'status', 'message'),
    [('', 0, ''), ('0', 0, ''), ('2', 2, ''), ('"no such file"', 1, 'no such file\n')],
)
def test_state_is_of_its_own_and_put_back(tmp_path: Path, code: str, status: int, message: str) -> None:
    (tmp_path / 'script.py').write_text(SCRIPT.format(code=code))
    DefaultScope.get_instance('outer', scope_name='outer')
    MMLogger.get_instance('outer')
    before = state()
    run = run_script(tmp_path / 'script.py', tmp_path / 'log', 3, cwd=tmp_path)
    assert run == (status, run.output, f'warned\n{message}')
    first, *_ = run.output.splitlines()
    assert first == f"['{tmp_path / 'log'}', '3'] {tmp_path} None False"
    assert 'logged' in (tmp_path / 'log').read_text() and 'logged' in run.output
    assert state() == before


def test_errors_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / 'script.py').write_text('import os\nos.chdir("/")\nraise KeyError("what")\n')
    before = state()
    with pytest.raises(KeyError, match='what'):
        run_script(tmp_path / 'script.py')
    assert state() == before


def test_no_folder_of_tests_is_left_out(pytestconfig: pytest.Config) -> None:
    folders = {path.parent for path in Path(__file__).parent.rglob('test_*.py')}
    patterns = pytestconfig.getini('norecursedirs')
    assert len(folders) > 5 and not [one for one in folders if any(one.match(pattern) for pattern in patterns)]
