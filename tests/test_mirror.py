"""Every source file has a test file of its name, and the other way round; exceptions are listed with their reasons."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, TESTS = ROOT / 'mmsigma', ROOT / 'tests'
AREAS = (
    'apis',
    'app',
    'checkpoints',
    'datasets',
    'engine',
    'evaluation',
    'io',
    'models',
    'ops',
    'synthetic',
    'utils',
    'visualization',
)

# source files without a test file of their name: the file that tests them, which imports them, and the reason
TESTED_ELSEWHERE = {
    '__main__.py': ('test_cli.py', 'two lines'),
    'engine/sharding.py': ('dist/test_sharding.py', 'it takes several processes'),
    'version.py': ('test_packaging.py', 'a constant, which the wheel has to carry'),
}
# test files without a source file of their name: the modules that they test together, which they import, and the reason
TOGETHER = {
    'models/gta/test_alignment_gpu.py': (
        ('mmsigma.models.gta.losses.gta', 'mmsigma.ops.soft_dtw', 'mmsigma.models.GTA'),
        'operations, losses and the model on a GPU: skipped as a whole without one',
    ),
    'models/gta/test_sampled_steps.py': (
        ('mmsigma.datasets.transforms.SampleAlignmentSteps', 'mmsigma.models.gta.alignment_head'),
        'which frames the data give and which the heads take is settled in two places',
    ),
    'models/test_precision.py': (
        ('mmsigma.models', 'mmsigma.ops.aggregate_logits', 'mmsigma.registry.MODELS'),
        'all losses and heads by the same bounds, none of which may be left out',
    ),
    'models/propagation/test_dino_protocol.py': (
        ('mmsigma.models.propagation.frame_geometry', 'mmsigma.models.propagation.label_propagation'),
        'the whole evaluation of DINO on real frames, of which labels and memory are in two places',
    ),
    'ops/test_ops.py': (('mmsigma.ops',), 'what the package as a whole exports'),
}


def python_files(folder: Path, pattern: str = '*.py') -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob(pattern) if '.mim' not in path.parts}
    assert found
    return found


SOURCES = {name for name in python_files(PACKAGE) if not name.endswith('__init__.py')}
MIRRORED = {name for name in python_files(TESTS, 'test_*.py') if name.startswith(tuple(f'{area}/' for area in AREAS))}


def place_of_test(source: str) -> str:
    """``a/b.py`` is tested by ``a/test_b.py``."""
    return (Path(source).parent / f'test_{Path(source).name}').as_posix()


def imported(path: Path) -> set[str]:
    """Full names of what a file imports: modules, and what it takes from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f'{node.module}.{alias.name}' for alias in node.names)}
    return found


def test_every_area_is_looked_at() -> None:
    folders = {path.parent.name for path in PACKAGE.glob('*/__init__.py')}
    assert folders == set(AREAS)


def test_every_source_file_has_a_place_of_test_its_name() -> None:
    without = {source for source in SOURCES if not (TESTS / place_of_test(source)).is_file()}
    assert without == TESTED_ELSEWHERE.keys(), 'write a test file, or list where it is tested and why not there'


def test_every_test_file_has_a_source_file_of_its_name() -> None:
    without = MIRRORED - {place_of_test(source) for source in SOURCES}
    assert without == TOGETHER.keys(), 'name it after the file that it tests, or list what it tests and why together'


@pytest.mark.parametrize('source', TESTED_ELSEWHERE)
def test_what_is_tested_elsewhere_is_imported_there(source: str) -> None:
    place, reason = TESTED_ELSEWHERE[source]
    module = '.'.join(('mmsigma', *Path(source).with_suffix('').parts))
    assert module in imported(TESTS / place) and reason


def test_no_test_file_is_of_something_else() -> None:
    files = [TESTS / place_of_test(source) for source in SOURCES - TESTED_ELSEWHERE.keys()]
    assert not [path for path in files if not any(name.startswith('mmsigma.') for name in imported(path))]


@pytest.mark.parametrize('name', TOGETHER)
def test_what_is_tested_together_is_imported(name: str) -> None:
    modules, reason = TOGETHER[name]
    assert set(modules) <= imported(TESTS / name) and reason
