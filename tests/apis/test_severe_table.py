"""The table of SEVERE from runs, files and numbers."""

import csv
import json
import os
from pathlib import Path

import pytest

from mmsigma.apis.severe_table import gather, severe_cells

TOOL = 'tools/severe_report.py'
DINO = dict(ssv2=70.9, gym99=89.7, ucf1k=84.1, gym1k=28.0, fxs1=55.1, ubs1=79.9, ucfrep=0.169, charades=23.3)


def cells(output: str, name: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if line.startswith(f'| {name} |'))
    return [cell.strip() for cell in line.strip('|').split('|')]


def write_test(folder: Path, time: str, age: float = 0, **metrics) -> Path:
    """What a test leaves in the folder of a run; ``age`` in seconds."""
    path = folder / time / f'{time}.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**metrics, 'data_time': 0.1, 'time': 0.2}))
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    return folder


def test_cells_have_the_digits_of_the_paper() -> None:
    head, row = severe_cells({'mine': gather([f'{key}={value}' for key, value in DINO.items()], None)})
    assert head[0] == 'Model' and len(head) == len(row) == 10 and row[-3:] == ['0.169', '23.3', '64.3']


def test_numbers_on_the_command_line(run_tool):
    result = run_tool(TOOL, *(f'{key}={value}' for key, value in DINO.items()))
    assert result.status == 0 and 'No mean' not in result.output
    values = ['70.9', '89.7', '84.1', '28.0', '55.1', '79.9', '0.169', '23.3', '64.3']
    assert cells(result.output, 'this model')[1:] == cells(result.output, 'SIGMA-DINO (paper)')[1:] == values
    header, _, metrics = result.output.splitlines()[:3]
    assert header.count('|') == metrics.count('|') == 11 and 'mean counting error' in metrics
    assert cells(result.output, 'VideoMAE (paper)')[-1] == '57.4'


def test_runs_are_read_by_the_metric_of_their_setting(run_tool, tmp_path):
    both = {'acc/top1': 81.2, 'acc/mean_class': 40.5, 'acc/top5': 99.0}
    places = {
        'ucf1k': write_test(tmp_path / 'ucf', '20240101_000000', **both),
        'fxs1': write_test(tmp_path / 'fx', '20240101_000000', **both),
        'ucfrep': write_test(tmp_path / 'rc', '20240101_000000', **{'counting/MAE': 0.25, 'counting/OBO': 0.4}),
        'charades': write_test(tmp_path / 'ch', '20240101_000000', **{'multi_label/mAP': 19.96}),
    }
    result = run_tool(TOOL, '--no-published', *(f'{key}={place}' for key, place in places.items()))
    row = ['this model', '-', '-', '81.2', '-', '40.5', '-', '0.250', '20.0', '-']
    assert cells(result.output, 'this model') == row
    assert 'No mean: 4 of 8 results are missing (ssv2, gym99, gym1k, ubs1).' in result.output
    assert 'paper' not in result.output


def test_the_newest_test_counts(run_tool, tmp_path):
    write_test(tmp_path, '20240101_000000', age=100, **{'acc/top1': 10.0})
    write_test(tmp_path, '20240102_000000', age=50, **{'acc/top1': 20.0})
    write_test(tmp_path, '20240103_000000', age=0, lr=1e-3)  # not a test
    assert cells(run_tool(TOOL, f'ssv2={tmp_path}').output, 'this model')[1] == '20.0'


@pytest.mark.parametrize('suffix', ['.json', '.yml'])
def test_files_of_numbers_and_written_tables(run_tool, tmp_path, suffix):
    numbers = tmp_path / f'numbers{suffix}'
    numbers.write_text(json.dumps(DINO) if suffix == '.json' else ''.join(f'{k}: {v}\n' for k, v in DINO.items()))
    options = ['--name', 'mine', '--markdown', tmp_path / 'out' / 'table.md', '--csv', tmp_path / 'table.csv']
    result = run_tool(TOOL, '--results', numbers, 'gym1k=30', *options)
    assert cells(result.output, 'mine')[4] == '30.0' and cells(result.output, 'mine')[-1] == '64.5'
    assert (tmp_path / 'out' / 'table.md').read_text() == result.output
    with (tmp_path / 'table.csv').open() as file:
        rows = list(csv.reader(file))
    assert len(rows) == 6 and rows[0][-1] == 'Mean' and rows[-1] == cells(result.output, 'mine')
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([numbers.name, 'out', 'table.csv'])


@pytest.mark.parametrize(
    ('argument', 'message'),
    [
        ('ssv3=50', "'ssv3' is not a setting of SEVERE: choose one of ssv2, gym99"),
        ('ssv2', 'expected SETTING=PLACE'),
        ('ssv2=120', 'ssv2=120 is out of range'),
        ('ucfrep=17.1', 'ucfrep=17.1 is out of range: percent, or a fraction'),
        ('ssv2=nowhere', 'nowhere'),
        ('ssv2=0.709', 'ssv2=0.709 looks like a fraction'),
        ('charades=1', 'charades=1 looks like a fraction'),
        ('ucfrep=0.2 ssv2=50 ucfrep=0.3', "'ucfrep=0.3': ucfrep is given twice"),
    ],
)
def test_mistakes_are_named(run_tool, argument, message):
    result = run_tool(TOOL, *argument.split())
    assert result.status == 1 and message in result.errors


def test_small_results_of_a_test_are_in_percent(run_tool, tmp_path):
    write_test(tmp_path, '20240101_000000', **{'multi_label/mAP': 0.8, 'acc/top1': 50.0})
    assert cells(run_tool(TOOL, f'charades={tmp_path}').output, 'this model')[8] == '0.8'
    numbers = tmp_path / 'numbers.json'
    numbers.write_text('{"charades": 0.8}')
    for argument in (['--results', numbers], [f'charades={numbers}']):
        assert 'charades=0.8 looks like a fraction' in run_tool(TOOL, *argument).errors


def test_a_run_counts_for_one_setting(run_tool, tmp_path):
    write_test(tmp_path, '20240101_000000', **{'acc/top1': 50.0})
    result = run_tool(TOOL, f'ssv2={tmp_path}', f'gym99={tmp_path}')
    assert result.status == 1 and f'{tmp_path} is given twice' in result.errors
    assert run_tool(TOOL, 'ssv2=50', 'gym99=50').status == 0


def test_a_run_without_test_is_named(run_tool, tmp_path):
    write_test(tmp_path, '20240101_000000', **{'acc/top1': 10.0})
    result = run_tool(TOOL, f'charades={tmp_path}')
    assert result.status == 1 and "no 'multi_label/mAP'" in result.errors and 'tools/test.py' in result.errors
    (tmp_path / 'list.json').write_text('[1]')
    assert 'is not a mapping' in run_tool(TOOL, '--results', tmp_path / 'list.json').errors


def test_a_run_of_another_setting_is_refused(run_tool, tmp_path):
    write_test(tmp_path / 'a', '20240101_000000', **{'acc/top1': 50.0})
    record = dict(config='severe/vitb_gym99', checkpoint='x.pth', sha256='0', dataset={})
    (tmp_path / 'a' / '20240101_000000' / 'test.json').write_text(json.dumps(record))
    refused = run_tool(TOOL, f'ucf1k={tmp_path / "a"}')
    assert refused.status == 1 and 'is the result of another setting, gym99: severe/vitb_gym99, x.pth' in refused.errors
    assert cells(run_tool(TOOL, f'gym99={tmp_path / "a"}').output, 'this model')[2] == '50.0'
    (tmp_path / 'b').symlink_to(tmp_path / 'a')
    assert 'is given twice' in run_tool(TOOL, f'gym99={tmp_path / "a"}', f'gym1k={tmp_path / "b"}').errors


def test_tests_of_two_checkpoints_are_not_chosen_from(run_tool, tmp_path):
    for number, score in ((1, 70.9), (2, 20.8)):
        write_test(tmp_path, f'2024010{number}_000000', **{'acc/top1': score})
        record = dict(config='severe/vitb_gym99', checkpoint=f'{number}.pth', sha256=str(number), dataset={})
        (tmp_path / f'2024010{number}_000000' / 'test.json').write_text(json.dumps(record))
    refused = run_tool(TOOL, f'gym99={tmp_path}')
    assert refused.status == 1 and '1.pth' in refused.errors and '2.pth' in refused.errors
