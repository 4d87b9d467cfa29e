"""Tables as files."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from mmsigma.io.atomic import write_atomically


def write_csv(path: Path, lines: Iterable[Iterable], digits: int = 3) -> None:
    """Write a CSV file atomically; its folder is made.

    Args:
        path: Of the file.
        lines: Of cells, the first of which are the titles.
        digits: Decimals of numbers that are not whole.
    """
    text = io.StringIO()
    rows = [[f'{cell:.{digits}f}' if isinstance(cell, float) else cell for cell in line] for line in lines]
    csv.writer(text).writerows(rows)
    write_atomically(path, lambda name: Path(name).write_text(text.getvalue(), newline=''))
