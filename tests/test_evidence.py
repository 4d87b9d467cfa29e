"""The page of evidence says what the records say, and what the scripts of benchmarks take from each other is there."""

import ast
import json
import os
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {path.stem: ast.parse(path.read_text()).body for path in (ROOT / 'benchmarks').glob('*.py')}


def defined(body: list[ast.stmt]) -> set[str]:
    """Names at the top level of a script."""
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    found = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found | {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@pytest.mark.parametrize('script', SCRIPTS)
def test_what_scripts_take_from_each_other_is_there(script: str) -> None:
    for node in ast.walk(ast.Module(SCRIPTS[script], [])):
        if isinstance(node, ast.ImportFrom) and node.module in SCRIPTS:
            assert {alias.name for alias in node.names} <= defined(SCRIPTS[node.module]), node.module


def test_the_page_is_that_of_the_records() -> None:
    tables = runpy.run_path(str(ROOT / 'benchmarks' / 'evidence_tables.py'))
    page = (ROOT / 'docs' / 'evidence.md').read_text()
    assert page == tables['page'](), 'run python benchmarks/evidence_tables.py'
    assert page.count('| random |') >= 2 and '| lite0_itself | 0 | - | 66.7 |' in page


def test_the_picture_of_the_matrix_is_that_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    matrix = runpy.run_path(str(ROOT / 'benchmarks' / 'matrix.py'))
    record = json.loads((ROOT / 'benchmarks' / 'records' / 'evidence' / 'matrix.json').read_text())
    assert (ROOT / 'docs' / 'matrix.svg').read_text() == matrix['picture'](record), 'run python benchmarks/matrix.py'
    assert {'seed', 'commit', 'processor', 'threads'} <= record.keys()


def test_means_have_a_spread_if_there_are_several() -> None:
    tables = runpy.run_path(str(ROOT / 'benchmarks' / 'evidence_tables.py'))
    assert tables['cell']([]) == '-' and tables['cell']([2.04]) == '2.0'
    assert tables['cell']([1.0, 2.0, 3.0]) == '2.0 ± 1.0'


def test_the_page_of_performance_has_the_records_of_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    bench = runpy.run_path(str(ROOT / 'benchmarks' / 'bench.py'))
    assert (ROOT / 'docs' / 'performance.md').read_text() == bench['page'](), 'run python benchmarks/bench.py'
    assert all((ROOT / 'benchmarks' / f'{script}.py').is_file() for script in bench['SCRIPTS'])


def test_processors_are_limited_as_a_check_of_what_kernels_use_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    bench = runpy.run_path(str(ROOT / 'benchmarks' / 'bench.py'))
    assert bench['capability']({**os.environ, **bench['AS_AVX2']}) == 'AVX2'
    assert bench['capability']({**os.environ, 'ATEN_CPU_CAPABILITY': 'default'}) not in ('AVX2', 'AVX512')
