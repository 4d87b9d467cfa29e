"""Writing of tables."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from mmsigma.io.atomic import write_atomically


def write_csv(path: Path, lines: Iterable[Iterable[object]], digits: int = 3) -> None:
    """Write a CSV file atomically and create its folder if necessary.

    Args:
        path: File to write.
        lines: Rows of cells, beginning with the column titles.
        digits: Number of decimals of floats.
    """
    text = io.StringIO()
    rows = [[f'{cell:.{digits}f}' if isinstance(cell, float) else cell for cell in line] for line in lines]
    csv.writer(text).writerows(rows)
    write_atomically(path, lambda name: Path(name).write_text(text.getvalue(), newline=''))
