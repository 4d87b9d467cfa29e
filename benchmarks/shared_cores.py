"""A small training step on cores that another process uses, too: threads that spin against threads that wait.

    python benchmarks/shared_cores.py

Every candidate is a process of its own, with other settings of OpenMP; they take turns, alone and beside a process that
is always busy. The commands of mmsigma set what is called "commands" here, unless the environment has a policy.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from common import compare, machine, print_table

from mmsigma.utils.torch_environment import set_torch_environment

NAMES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'OMP_NUM_THREADS')
WORK = """
import sys
import torch
from mmsigma.registry import MODELS
torch.manual_seed(0)
model = MODELS.build(dict(type='mmsigma.VideoVisionTransformer', arch='tiny', img_size=64, num_frames=8))
clips = torch.randn(8, 3, 8, 64, 64)
for _ in sys.stdin:
    model(clips)[-1].mean().backward()
    print(flush=True)
"""


def environments() -> dict[str, dict[str, str]]:
    """Environments of the candidates."""
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}
    for name in NAMES:
        os.environ.pop(name, None)
    set_torch_environment()
    commands = {**plain, **{name: os.environ[name] for name in NAMES if name in os.environ}}
    return {
        'default of PyTorch': plain,
        'commands of mmsigma': commands,
        'OMP_WAIT_POLICY=PASSIVE': {**plain, 'OMP_WAIT_POLICY': 'PASSIVE'},
        'one thread': {**plain, 'OMP_NUM_THREADS': '1'},
    }


@contextmanager
def process(code: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A Python process, which ends with the block."""
    command = [sys.executable, '-c', code]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def step(worker: subprocess.Popen[str]) -> None:
    """Let a process take one step, and wait for it."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write('\n')
    worker.stdin.flush()
    assert worker.stdout.readline() == '\n', 'the process of a candidate has ended'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=15)
    args = parser.parse_args()
    print(machine())
    with ExitStack() as stack:
        found = {name: stack.enter_context(process(WORK, values)) for name, values in environments().items()}
        candidates = {name: partial(step, worker) for name, worker in found.items()}
        for title, others in (('no other process', 0), ('one other process that is busy', 1)):
            with ExitStack() as busy:
                for _ in range(others):
                    busy.enter_context(process('while True: pass', dict(os.environ)))
                print_table(title, compare(candidates, args.rounds), 'default of PyTorch')


if __name__ == '__main__':
    main()
