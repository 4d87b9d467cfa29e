"""Locks of files: one process at a time, and none that a dead process leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

from mmsigma.io import locks
from mmsigma.io.locks import HeldError, lock
from tests.scripts import ROOT

HOLD = """
import sys
from mmsigma.io.locks import lock
file = lock(sys.argv[1])
print('held', flush=True)
sys.stdin.read()
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / 'x.lock'
    other = subprocess.Popen(
        [sys.executable, '-c', HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert other.stdout.readline() == 'held\n'
    with pytest.raises(HeldError, match=rf'x\.lock is locked by process {other.pid} on '):
        lock(path)
    other.kill()  # leaves no lock
    other.wait()
    file = lock(path)
    assert file is not None and path.read_text().startswith('process ')
    file.close()


@pytest.mark.parametrize('given', [None, 'no locks'])
def test_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None) -> None:
    if given is None:
        monkeypatch.setattr(locks, 'fcntl', None)
    else:

        def refuse(*_: object) -> None:
            raise OSError(37, 'No locks available')

        monkeypatch.setattr(locks.fcntl, 'lockf', refuse)
    assert lock(tmp_path / 'x.lock') is None
