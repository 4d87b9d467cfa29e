"""Reading and writing of tables."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from mmsigma.io.atomic import write_atomically
from mmsigma.io.text import read_text


def read_csv(path: str | Path, delimiter: str = ',') -> tuple[list[str], list[tuple[str, dict[str, str]]]]:
    """Read a CSV file that begins with the titles of its columns.

    Args:
        path: File to read; see :func:`mmsigma.io.text.read_text` for its encoding.
        delimiter: Character between cells.

    Returns:
        Titles of the columns, and the rows: file and line, for messages, and cells by title. Titles and cells have no
        surrounding blanks.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If two columns have the same title, or a row has more or fewer cells than there are titles.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=''), delimiter=delimiter, skipinitialspace=True)
    titles: list[str] = []
    rows = []
    try:
        for row in reader:
            place, cells = f'{path}, line {reader.line_num}', [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not titles:
                titles = cells
                if twice := sorted({title for title in titles if title and titles.count(title) > 1}):
                    raise ValueError(f'{place}: two columns are called {twice[0]!r}: rename or remove one of them')
                continue
            if len(cells) != len(titles):
                raise ValueError(
                    f'{place} has {len(cells)} cells, but there are {len(titles)} columns {titles}: fill in what is '
                    f'missing, and put cells that contain {delimiter!r} in double quotes'
                )
            rows.append((place, dict(zip(titles, cells, strict=True))))
    except csv.Error as error:
        raise ValueError(f'{path}, line {reader.line_num} is not CSV: {error}') from error
    return titles, rows


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
    write_atomically(path, lambda name: Path(name).write_text(text.getvalue(), encoding='utf-8', newline=''))
