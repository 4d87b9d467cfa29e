"""Average the scores of several runs, such as networks per action, or seeds.

A run is the folder of a tested model; if it was tested several times, the newest test counts.

Example::

    python tools/mean_of_runs.py work_dirs/gta_penn_action_* --scores kendall_tau svm --csv table.csv
"""

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from mmsigma.evaluation.results import TestResult, newest_test
from mmsigma.io.tables import write_csv


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('runs', nargs='+', type=Path, help='work dirs of the runs')
    parser.add_argument('--scores', nargs='+', help='only scores whose names contain one of these')
    parser.add_argument('--csv', type=Path, help='file to write the table to')
    return parser.parse_args()


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


def _datasets(results: dict[str, TestResult]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return the settings that all datasets have and those that any has."""
    sets = [set(result.dataset) for result in results.values()]
    return set.intersection(*sets), set.union(*sets)


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


def main() -> None:
    args = parse_args()
    try:
        results = read_runs(args.runs)
        runs = {run: result.scores for run, result in results.items()}
        names = common_scores(runs, args.scores)
    except (ValueError, OSError) as error:
        raise SystemExit(str(error)) from error
    for run, scores in runs.items():
        if text := [name for name in names if isinstance(scores[name], str)]:
            raise SystemExit(f'{run} has text in place of numbers for {", ".join(text)}')
        if undefined := [name for name in names if scores[name] is None or scores[name] != scores[name]]:
            raise SystemExit(f'{run} has no value of {", ".join(undefined)}: its score is undefined')
    values = np.array([[scores[name] for name in names] for scores in runs.values()], dtype=float)
    rows = [*zip(runs, values.tolist(), strict=True), ('mean', values.mean(axis=0).tolist())]
    if len(runs) > 1:
        rows.append(('standard deviation', values.std(axis=0, ddof=1).tolist()))
    table = Table(Column('run', overflow='fold'), *(name.rpartition('/')[2] for name in names))
    for title, row in rows:
        table.add_row(title, *(f'{value:.2f}' for value in row), end_section=title == str(args.runs[-1]))
    Console().print(table)
    for result in results.values():
        print(result.source)
    if differing := sorted({key for key, _ in set.symmetric_difference(*_datasets(results))}):
        print(f'note: the datasets of the runs differ in {", ".join(differing)}')
    if unknown := [run for run, result in results.items() if not result.config]:
        print(f'note: nothing tells which config and checkpoint were tested in {", ".join(unknown)}')
    if args.csv:
        write_csv(args.csv, [('run', *names), *((title, *row) for title, row in rows)])


if __name__ == '__main__':
    main()
