"""The table of SEVERE (Thoker et al., ECCV 2022) from runs, files and numbers."""

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from mmsigma.evaluation.classification.severe import COUNTING, SETTINGS, severe_mean
from mmsigma.evaluation.results import newest_test

KEYS = dict(zip(('ssv2', 'gym99', 'ucf1k', 'gym1k', 'fxs1', 'ubs1', 'ucfrep', 'charades'), SETTINGS, strict=True))
Results = list[float | None]


def gather(runs: list[str], results: Path | None) -> Results:
    """Collect results in the order of the table, None where there is none; ``runs`` override the file.

    Args:
        runs: Results as SETTING=PLACE.
        results: File of numbers by setting, or None.

    Raises:
        ValueError: If a setting is unknown or given twice, a folder is given for two settings, or a value is missing in
            its source, is out of range, or is a fraction where percent is expected.
        OSError: If a file cannot be read.
    """
    values: dict[str, float | None] = {}
    if results:
        numbers = read_file(results)
        values = {key: None if value is None else check_percent(key, float(value)) for key, value in numbers.items()}
    given: set[str] = set()
    for run in runs:
        key, separator, place = run.partition('=')
        if not separator:
            raise ValueError(f'expected SETTING=PLACE, got {run!r}')
        folder = str(Path(place).resolve()) if Path(place).is_dir() else key
        if key in given or (folder != key and folder in given):
            raise ValueError(f'{run!r}: {key if key in given else place} is given twice')
        given |= {key, folder}
        values[check_key(key)] = read_place(key, place)
    row = [values.get(key) for key in KEYS]
    for key, value in zip(KEYS, row, strict=True):
        # an error above 1 is possible, but 17.1 is probably meant as 0.171
        if value is not None and not 0 <= value <= (5 if KEYS[key] == COUNTING else 100):
            raise ValueError(f'{key}={value:g} is out of range: percent, or a fraction for the error of ucfrep')
    return row


def check_key(key: str) -> str:
    """Return the setting after checking that it exists.

    Raises:
        ValueError: If it does not.
    """
    if key not in KEYS:
        raise ValueError(f'{key!r} is not a setting of SEVERE: choose one of {", ".join(KEYS)}')
    return key


def check_percent(key: str, value: float) -> float:
    """Return the value of a setting after checking that it has the expected unit.

    Raises:
        ValueError: If the setting is unknown, or the value looks like a fraction where percent is expected.
    """
    if KEYS[check_key(key)] != COUNTING and 0 < value <= 1:
        raise ValueError(f'{key}={value:g} looks like a fraction: all but the error of ucfrep are in percent')
    return value


def read_place(key: str, place: str) -> float:
    """Read the result of a setting: a number, or the value in a file or in the newest test of a run's folder."""
    if (number := as_number(place)) is not None:
        return check_percent(key, number)
    path, metric = Path(place), SETTINGS[KEYS[key]][1]
    if path.is_dir():
        result = newest_test(path, metric, key)
        content: dict[str, Any] = result.scores
        named = [other for other in KEYS if other in result.config]
        if named and key not in named:
            raise ValueError(f'{key}={place} is the result of another setting, {named[0]}: {result.source}')
        print(f'{key}: {result.source}', file=sys.stderr)
    else:
        content = read_file(path)
    if metric in content:
        return float(content[metric])  # from a test, so it is in percent, however small
    if key in content:
        return check_percent(key, float(content[key]))
    raise ValueError(f'{key}: no {metric!r} in {place}; has the run been tested with tools/test.py?')


def as_number(text: str) -> float | None:
    """Convert a text to a number; None if it is not one."""
    try:
        return float(text)
    except ValueError:
        return None


def read_file(path: Path) -> dict[str, Any]:
    """Read a JSON or YAML file.

    Raises:
        ValueError: If it cannot be parsed or is not a mapping.
    """
    try:
        text = path.read_text()
        content = json.loads(text) if path.suffix == '.json' else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'{path} cannot be read: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} is not a mapping of names to numbers')
    return content


def severe_cells(rows: dict[str, Results]) -> list[list[str]]:
    """Format the cells of the table, with header and mean; missing results, and a mean without them, are dashes."""
    cells = [['Model', *SETTINGS, 'Mean']]
    for name, row in rows.items():
        mean = severe_mean(row)
        digits = [3 if setting == COUNTING else 1 for setting in SETTINGS]
        values = [*zip(row, digits, strict=True), (mean, 1)]
        cells.append([name, *('-' if value is None else f'{value:.{places}f}' for value, places in values)])
    return cells


def to_markdown(cells: list[list[str]]) -> str:
    """Format the table as Markdown, with the metrics below the header."""
    metrics = ['', *(metric for metric, _ in SETTINGS.values()), '']
    lines = [cells[0], ['---', *['---:'] * (len(cells[0]) - 1)], metrics, *cells[1:]]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines) + '\n'


def to_csv(cells: list[list[str]]) -> str:
    """Format the table as CSV."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator='\n').writerows(cells)
    return buffer.getvalue()
