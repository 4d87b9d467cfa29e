"""Signals to a training that was started from the command line, alone and by launchers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.end_to_end.conftest import tiny
from tests.scripts import ROOT


@pytest.fixture
def config(demo_set: Path, tmp_path: Path) -> Path:
    """Hundreds of steps, of which the first tells that it has been made."""
    cfg = tiny(demo_set, tmp_path / 'run', epochs=200, num_workers=1)
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type != 'ProgressHook']
    cfg.custom_hooks.append(dict(type='ProgressHook', seconds=0.0))
    cfg.dump(tmp_path / 'config.py')
    return tmp_path / 'config.py'


def start(*command: object) -> subprocess.Popen:
    environment = {**os.environ, 'PYTHON': sys.executable, 'OMP_NUM_THREADS': '1', 'PYTHONUNBUFFERED': '1'}
    environment.pop('PORT', None)
    return subprocess.Popen(
        [*map(str, command)], cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def wait_for_steps(process: subprocess.Popen) -> list[str]:
    lines = []
    for line in process.stdout:
        lines.append(line)
        if 'step 2/' in line:
            return lines
    raise AssertionError(''.join(lines))


def processes_of(config: Path) -> list[int]:
    """All that were started with a config: launchers, ranks and their loaders' workers."""
    found = []
    for entry in Path('/proc').glob('[0-9]*'):
        try:
            if str(config) in (entry / 'cmdline').read_text() and ') Z ' not in (entry / 'stat').read_text():
                found.append(int(entry.name))
        except OSError:
            continue  # it has just ended
    return found


def check_end(process: subprocess.Popen, code: int, config: Path) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == code and 'continue with --resume' in output, output
    content = torch.load(config.parent / 'run' / 'interrupted.pth', weights_only=True)
    assert content['meta']['iter'] >= 2
    deadline = time.monotonic() + 15
    while (left := processes_of(config)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left
    return output


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signal_to_all_processes_of_a_job(config: Path, number: int) -> None:
    process = start(sys.executable, 'tools/train.py', config)
    wait_for_steps(process)
    os.killpg(process.pid, number)
    assert 'Traceback' not in check_end(process, 128 + number, config)


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_signal_to_the_launcher(config: Path, number: int) -> None:
    process = start('bash', 'tools/dist_train.sh', config, 2)
    wait_for_steps(process)
    process.send_signal(number)
    check_end(process, 128 + number, config)


@pytest.mark.slow
def test_signal_to_one_rank(config: Path) -> None:
    """The other one stops after the same iteration."""
    process = start('bash', 'tools/dist_train.sh', config, 2)
    wait_for_steps(process)
    # its loader's worker is in the same group
    (rank,) = (pid for pid in processes_of(config) if _rank(pid) == '1' and os.getpgid(pid) == pid)
    os.kill(rank, signal.SIGTERM)
    check_end(process, 1, config)


def _rank(pid: int) -> str:
    values = dict(entry.partition('=')[::2] for entry in Path(f'/proc/{pid}/environ').read_text().split('\0'))
    return values.get('RANK', '')
