"""One checkpoint tested under several values of an option."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mmsigma.registry import MODELS
from mmsigma.utils.config import load_config
from tests.scripts import ROOT
from tests.vos_data import make_davis

TOOL = 'tools/sweep.py'
CONFIG = ROOT / 'configs' / 'vos' / 'colour.py'
OPTION = 'model.propagator.num_context'


@pytest.fixture(scope='module')
def davis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_davis(tmp_path_factory.mktemp('davis') / 'set', dict(ant=4))


@pytest.fixture
def sweep(run_tool: Callable, davis: Path, tmp_path: Path) -> Callable:
    def run(*arguments: object, options: tuple[str, ...] = (), config: Path = CONFIG, checkpoint: object = 'none'):
        given = ['--cfg-options', f'data_root={davis}', 'model.propagator.radius=4', *options]
        return run_tool(TOOL, config, checkpoint, *arguments, '--work-dir', tmp_path / 'sweep', *given)

    return run


def results(folder: Path) -> dict[str, int]:
    """Time of the last change of each finished test."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sorted(folder.glob('sweep/*/result.json'))}


def test_a_table_of_all_values(sweep: Callable, tmp_path: Path) -> None:
    done = sweep(OPTION, 1, 2, '--scores', 'J&F')
    assert done.status == 0, done.errors
    table = done.output.rpartition('┏')[2]
    assert '2 of 2' in done.output and 'J&F' in table and 'F_mean' not in table
    assert list(results(tmp_path)) == [f'{OPTION}=1', f'{OPTION}=2']
    rows = json.loads((tmp_path / f'sweep/{OPTION}.json').read_text())
    assert [row[OPTION] for row in rows] == ['1', '2'] and all(0 < row['vos/J&F'] <= 100 for row in rows)
    with open(tmp_path / f'sweep/{OPTION}.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert [row[OPTION] for row in table] == ['1', '2'] and float(table[1]['vos/J&F']) == pytest.approx(
        rows[1]['vos/J&F'], abs=1e-3
    )
    assert len(list(tmp_path.glob('sweep/*=1/*/davis2017_val/ant/*.png'))) == 4  # of each value, and of each test


def test_finished_values_are_not_tested_again(sweep: Callable, tmp_path: Path) -> None:
    assert sweep(OPTION, 1, 2).status == 0
    first = results(tmp_path)
    (tmp_path / f'sweep/{OPTION}=2/result.json').unlink()  # as if interrupted there
    more = sweep(OPTION, 1, 2, 3)
    second = results(tmp_path)
    assert f'1 of 3: {OPTION}=1, tested before' in more.output and f'2 of 3: {OPTION}=2 ' in more.output
    assert second[f'{OPTION}=1'] == first[f'{OPTION}=1'] and second[f'{OPTION}=2'] > first[f'{OPTION}=2']
    assert [row[OPTION] for row in json.loads((tmp_path / f'sweep/{OPTION}.json').read_text())] == ['1', '2', '3']
    (tmp_path / f'sweep/{OPTION}=2/result.json').write_text('no result')
    other = sweep(OPTION, 1, 2, options=('model.propagator.k=3',))
    third = results(tmp_path)
    assert 'tested before' not in other.output and all(third[name] > second[name] for name in first)
    again = sweep(OPTION, 1, '--again', options=('model.propagator.k=3',))
    assert again.status == 0 and results(tmp_path)[f'{OPTION}=1'] > third[f'{OPTION}=1']


def test_a_result_is_of_a_checkpoint(sweep: Callable, tmp_path: Path) -> None:
    config = ROOT / 'configs' / 'vos' / 'r18.py'
    for name in ('a', 'b'):
        torch.save(dict(state_dict=MODELS.build(load_config(config).model).state_dict()), tmp_path / f'{name}.pth')
    shutil.copy(tmp_path / 'a.pth', tmp_path / 'copy.pth')
    outputs = [
        sweep(OPTION, 1, config=config, checkpoint=tmp_path / f'{name}.pth').output for name in ('a', 'copy', 'b')
    ]
    assert ['tested before' in output for output in outputs] == [False, True, False]
    tables = sorted(tmp_path.glob(f'sweep/*/{OPTION}.csv'))  # one's is not replaced by the other's
    assert [path.parent.name[:2] for path in tables] == ['a_', 'b_']


def test_values_are_those_of_options(sweep: Callable, tmp_path: Path) -> None:
    done = sweep('model.geometry.size', '[36,52]', 'None')
    assert done.status == 0, done.errors
    assert list(results(tmp_path)) == ['model.geometry.size=None', 'model.geometry.size=[36,52]']


@pytest.mark.parametrize(
    ('arguments', 'config', 'message'),
    [
        ((OPTION, 1, 2, 1), CONFIG, f'{OPTION}=1 is given twice'),
        (('test_evaluator.out_dri', 'x'), CONFIG, "did you mean 'out_dir'?"),
        (('dataset', 'davis2017', 'davis2018'), CONFIG, "'davis2018' is not a choice of dataset"),
        ((OPTION, 1), ROOT / 'configs' / 'vos' / 'r18.py', 'r18.py: it needs a checkpoint'),
        (('epochs', 3), ROOT / 'configs' / 'demo' / 'sigma_tiny_demo_mlp.py', 'it has no test_dataloader'),
        ((OPTION, 1), ROOT / 'configs' / 'vos' / 'nothing.py', 'there is no config'),
    ],
)
def test_errors_come_before_any_test(
    sweep: Callable, tmp_path: Path, arguments: tuple, config: Path, message: str
) -> None:
    refused = sweep(*arguments, config=config)
    assert refused.status == 1 and message in refused.errors and not results(tmp_path)


def test_a_failing_test_is_named(sweep: Callable, tmp_path: Path) -> None:
    (tmp_path / 'empty').mkdir()
    failed = sweep(OPTION, 1, 2, options=(f'data_root={tmp_path / "empty"}',))
    assert failed.status == 1 and f'colour.py, {OPTION}=1: ' in failed.errors and not results(tmp_path)
