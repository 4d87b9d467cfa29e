"""Scripts of the repository, run as a user would: in this process, or by a launcher in several."""

import io
import multiprocessing
import os
import random
import runpy
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import cv2
import numpy as np
import torch
from mmengine.logging import MMLogger
from mmengine.utils import ManagerMixin
from torch.backends import cudnn

ROOT = Path(__file__).resolve().parents[1]

# Of the interpreter, as (get, set): whatever a script may change, and a Runner does.
SETTINGS = (
    (os.getcwd, os.chdir),
    (random.getstate, random.setstate),
    (np.random.get_state, np.random.set_state),
    (torch.get_rng_state, torch.set_rng_state),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (lambda: cudnn.benchmark, partial(setattr, cudnn, 'benchmark')),
    (lambda: cudnn.deterministic, partial(setattr, cudnn, 'deterministic')),
    (cv2.getNumThreads, cv2.setNumThreads),
    (partial(multiprocessing.get_start_method, True), partial(multiprocessing.set_start_method, force=True)),
)


class Result(NamedTuple):
    """What a script left behind: exit status, standard output and standard error."""

    status: int
    output: str
    errors: str


def run_script(script: str, *args: object, cwd: Path | None = None) -> Result:
    """Run a script, given by its place in the repository, with command-line arguments.

    It finds no logger, visualizer or scope of mmengine, as in a process of its own, and leaves no trace but what was
    imported. An exception that it does not turn into an exit is passed on: there, it would be a traceback.
    """
    path, status, message = str(ROOT / script), 0, ''
    with restored_state(), redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        os.chdir(cwd or Path.cwd())
        sys.argv = [path, *map(str, args)]
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as error:
            # a text as exit code goes to the standard error, with status 1
            status, message = (error.code or 0, '') if isinstance(error.code, int | None) else (1, f'{error.code}\n')
    return Result(status, output.getvalue(), errors.getvalue() + message)


def launch(script: str, *args: object) -> str:
    """Run a launcher, tools/dist_train.sh for one, which has to succeed; returns its standard output."""
    environment = {**os.environ, 'PYTHON': sys.executable}
    environment.pop('PORT', None)
    command = ['bash', ROOT / script, *map(str, args)]
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return run.stdout


@contextmanager
def restored_state() -> Iterator[None]:
    """Give a script state of its own, and put back what was there before."""
    before = [(put_back, get()) for get, put_back in SETTINGS]
    instances = {manager: manager._instance_dict for manager in _managers()}
    for manager in instances:
        manager._instance_dict = OrderedDict()
    try:
        with mock.patch.dict(os.environ), mock.patch.object(sys, 'argv', sys.argv):
            yield
    finally:
        for handler in (handler for logger in MMLogger._instance_dict.values() for handler in logger.handlers):
            handler.close()
        for manager in _managers():  # more of them, if the script imported some
            manager._instance_dict = instances.get(manager, OrderedDict())
        for put_back, value in before:
            put_back(value)


def _managers() -> list[type]:
    """mmengine's classes whose instances are found by name: loggers, message hubs, visualizers, scopes."""
    found: list[type] = [ManagerMixin]
    for manager in found:
        found += manager.__subclasses__()
    return found
