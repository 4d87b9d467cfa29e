"""Bars on terminals, lines elsewhere."""

import re
import time
from io import StringIO

from rich.console import Console

from mmsigma.utils.progress import steps, waiting


def lines(*, seconds: float = 0, silent: bool = False, terminal: bool = False) -> str:
    written = StringIO()
    console = Console(file=written, force_terminal=terminal, width=60, highlight=False)
    with steps('drawing', 3, seconds=seconds, silent=silent, console=console) as advance:
        for _ in range(3):
            advance()
    return written.getvalue()


def test_lines_at_intervals() -> None:
    assert lines() == 'drawing  1/3\ndrawing  2/3\ndrawing  3/3\n'
    assert lines(seconds=100) == '' and lines(silent=True) == lines(silent=True, terminal=True) == ''


def test_a_bar_on_terminals() -> None:
    shown = lines(terminal=True)
    assert 'drawing' in shown and '3/3' in shown


def test_work_of_unknown_length_is_not_silent() -> None:
    written = StringIO()
    with waiting('clip 3', seconds=0.05, console=Console(file=written, width=60, highlight=False)):
        time.sleep(0.3)
    told = written.getvalue().splitlines()
    assert len(told) >= 2 and all(re.fullmatch(r'clip 3: .+ so far', line) for line in told)
    with waiting('clip 3', seconds=100, console=Console(file=(quick := StringIO()))):
        pass
    assert quick.getvalue() == ''
    with waiting('clip 3', console=Console(file=(terminal := StringIO()), force_terminal=True, width=60)):
        time.sleep(0.2)
    assert 'clip 3' in terminal.getvalue() and '0:00:00' in terminal.getvalue()
