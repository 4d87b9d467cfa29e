"""Progress of work that takes more than seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def steps(
    what: str, total: int, *, silent: bool = False, seconds: float = 10.0, console: Console | None = None
) -> Iterator[Callable[[], None]]:
    """Show how much of a work is done: as a bar, or as lines at intervals where the output is not a terminal.

    Args:
        what: What is done.
        total: Number of steps.
        silent: Whether to show nothing, for all processes but one.
        seconds: Interval between lines, in seconds.
        console: Console to write to; None for the standard output.

    Yields:
        Function to call after each step.
    """
    console = console or Console(highlight=False)
    if silent:
        yield lambda: None
        return
    if console.is_terminal:
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, transient=True, console=console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
        return
    done, last = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, last
        done += 1
        if time.monotonic() - last >= seconds:
            last = time.monotonic()
            console.print(f'{what}  {done}/{total}')

    yield advance
