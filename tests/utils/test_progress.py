"""Bars on terminals, lines elsewhere."""

from io import StringIO

from rich.console import Console

from mmsigma.utils.progress import steps


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
