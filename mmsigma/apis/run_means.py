"""Mean and spread of the scores of several runs of one config, such as networks per action, or seeds."""

from pathlib import Path

import numpy as np
from rich.table import Column, Table

from mmsigma.evaluation.results import TestResult, newest_test

ScoreRows = list[tuple[str, list[float]]]


def read_runs(runs: list[Path]) -> dict[str, TestResult]:
    """Read the newest test of each run.

    Raises:
        ValueError: If a run has none or is given twice, or runs are of different configs.
    """
    if len({run.resolve() for run in runs}) < len(runs):
        raise ValueError('a run is given twice')
    results = {str(run): newest_test(run) for run in runs}
    configs = {result.config: run for run, result in results.items()}
    if len(configs) > 1:
        listed = ', '.join(f'{config or "unknown"} ({run})' for config, run in configs.items())
        raise ValueError(f'the runs are of different configs: {listed}')
    return results


def common_scores(runs: dict[str, dict[str, float]], wanted: list[str] | None) -> list[str]:
    """Return the names of the scores that all runs have.

    Args:
        runs: Scores of each run.
        wanted: Parts of names to which they are restricted; None for all.

    Raises:
        ValueError: If there is none.
    """
    first, *others = runs.values()
    names = [name for name in first if not wanted or any(part in name for part in wanted)]
    if common := [name for name in names if all(name in scores for scores in others)]:
        return common
    raise ValueError(f'there is no requested score that all runs have; {next(iter(runs))} has {", ".join(first)}')


def score_rows(runs: dict[str, dict[str, float]], names: list[str]) -> ScoreRows:
    """Return the scores of each run, their mean, and their standard deviation if there are several runs.

    Raises:
        ValueError: If a score is no number, or not defined.
    """
    for run, scores in runs.items():
        if text := [name for name in names if isinstance(scores[name], str)]:
            raise ValueError(f'{run} has text in place of numbers for {", ".join(text)}')
        if undefined := [name for name in names if scores[name] is None or scores[name] != scores[name]]:
            raise ValueError(f'{run} has no value of {", ".join(undefined)}: its score is undefined')
    values = np.array([[scores[name] for name in names] for scores in runs.values()], dtype=float)
    rows = [*zip(runs, values.tolist(), strict=True), ('mean', values.mean(axis=0).tolist())]
    if len(runs) > 1:
        rows.append(('standard deviation', values.std(axis=0, ddof=1).tolist()))
    return rows


def score_table(rows: ScoreRows, names: list[str], num_runs: int) -> Table:
    """Return a table of the rows, with a line below the runs."""
    table = Table(Column('run', overflow='fold'), *(name.rpartition('/')[2] for name in names))
    for number, (title, row) in enumerate(rows, start=1):
        table.add_row(title, *(f'{value:.2f}' for value in row), end_section=number == num_runs)
    return table


def notes(results: dict[str, TestResult]) -> list[str]:
    """Say where results are from, and what may make them incomparable."""
    lines = [str(result.source) for result in results.values()]
    first, *others = (set(result.dataset) for result in results.values())
    if differing := sorted({key for key, _ in first.union(*others) - first.intersection(*others)}):
        lines.append(f'note: the datasets of the runs differ in {", ".join(differing)}')
    if unknown := [run for run, result in results.items() if not result.config]:
        lines.append(f'note: nothing tells which config and checkpoint were tested in {", ".join(unknown)}')
    return lines
