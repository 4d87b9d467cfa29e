"""Running the tools as a user would, short of a process for each."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Result(NamedTuple):
    """What a script left behind: exit status, standard output and standard error."""

    status: int
    output: str
    errors: str


@pytest.fixture
def run_tool(repository: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a script of the repository, given by its path, with command-line arguments."""

    def run(script: str, *args: object) -> Result:
        path = str(repository / script)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, args)])
        capsys.readouterr()
        status, message = 0, ''
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as error:
            # a text as exit code goes to the standard error, with status 1
            status, message = (error.code or 0, '') if isinstance(error.code, int | None) else (1, str(error.code))
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err + message)

    return run
