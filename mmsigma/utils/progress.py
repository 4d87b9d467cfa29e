"""Progress of work that takes more than seconds."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from mmsigma.utils.durations import describe_duration


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


@contextmanager
def waiting(what: str, *, seconds: float = 10.0, console: Console | None = None) -> Iterator[None]:
    """Show that a work goes on whose length is not known: how long it has taken, or lines at intervals.

    Args:
        what: What is done.
        seconds: Interval between lines where the output is not a terminal, in seconds.
        console: Console to write to; None for the standard output.
    """
    console = console or Console(highlight=False)
    if console.is_terminal:
        columns = SpinnerColumn(), TextColumn('{task.description}'), TimeElapsedColumn()
        with Progress(*columns, transient=True, console=console) as bar:
            bar.add_task(what, total=None)
            yield
        return
    started, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(seconds):
            console.print(f'{what}: {describe_duration(time.monotonic() - started)} so far')

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
