"""The mean of several runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsigma.apis.run_means import score_rows

TOOL = 'tools/mean_of_runs.py'


def write_test(run: Path, number: int, **scores: float) -> None:
    path = run / f'2026010{number}_000000' / f'2026010{number}_000000.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**{f'alignment/{name}': value for name, value in scores.items()}, 'time': 0.1}))
    os.utime(path, (number, number))


def test_spread_is_of_a_sample() -> None:
    runs = {'a': {'x': 1.0, 'y': 5.0}, 'b': {'x': 3.0, 'y': 5.0}}
    assert score_rows(runs, ['x', 'y'])[2:] == [('mean', [2.0, 5.0]), ('standard deviation', [2**0.5, 0.0])]
    assert score_rows({'a': runs['a']}, ['x']) == [('a', [1.0]), ('mean', [1.0])]


def test_newest_tests_of_two_runs(run_tool: Callable, tmp_path: Path) -> None:
    write_test(tmp_path / 'a', 1, kendall_tau=1.0)
    write_test(tmp_path / 'a', 2, kendall_tau=50.0, svm=10.0, other=3.0)
    write_test(tmp_path / 'b', 1, svm=20.0, kendall_tau=60.0)
    done = run_tool(TOOL, tmp_path / 'a', tmp_path / 'b', '--scores', 'tau', 'svm', '--csv', tmp_path / 'out.csv')
    assert done.status == 0 and '55.00' in done.output and '15.00' in done.output
    lines = (tmp_path / 'out.csv').read_text().splitlines()
    assert lines[0] == 'run,alignment/kendall_tau,alignment/svm'
    assert lines[3:] == ['mean,55.000,15.000', 'standard deviation,7.071,7.071']


@pytest.mark.parametrize(('run', 'message'), [('none', 'no score in'), ('b', 'no requested score that all runs have')])
def test_what_is_refused(run: str, message: str, run_tool: Callable, tmp_path: Path) -> None:
    write_test(tmp_path / 'a', 1, kendall_tau=1.0)
    write_test(tmp_path / 'b', 1, svm=1.0)
    refused = run_tool(TOOL, tmp_path / 'a', tmp_path / run)
    assert refused.status == 1 and message in refused.errors


def test_runs_that_cannot_be_averaged(run_tool: Callable, tmp_path: Path) -> None:
    for name, config, score in (('a', 'x/y', 50.0), ('b', 'x/z', 60.0), ('c', 'x/y', float('nan')), ('d', 'x/y', 70.0)):
        write_test(tmp_path / name, 1, kendall_tau=score)
        record = dict(config=config, checkpoint='w.pth', dataset={'ann_file': name})
        (tmp_path / name / '20260101_000000' / 'test.json').write_text(json.dumps(record))
    for others, message in (
        ('b', 'the runs are of different configs'),
        ('a', 'a run is given twice'),
        ('c', 'has no value of alignment/kendall_tau'),
    ):
        refused = run_tool(TOOL, tmp_path / 'a', tmp_path / others)
        assert refused.status == 1 and message in refused.errors
    assert 'the datasets of the runs differ in ann_file' in run_tool(TOOL, tmp_path / 'a', tmp_path / 'd').output
