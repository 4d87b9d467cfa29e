"""Imports point down: entry points, engine, models and data, pure operations."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmsigma'
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob('*.py')) if '.mim' not in path.parts}


def imports_of(path: Path) -> set[str]:
    """Full names of all modules that a file imports from, wherever it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = ['mmsigma', *path.relative_to(PACKAGE).parts[: -node.level]] if node.level else []
            module = '.'.join([*parents, *([node.module] if node.module else [])])
            found |= {f'{module}.{alias.name}' for alias in node.names}
    return found


def strangers(folder: str, prefixes: tuple[str, ...], allowed: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """What the files below a folder import with one of the prefixes but none of those allowed."""

    def within(name: str, modules: tuple[str, ...]) -> bool:
        return any(f'{name}.'.startswith(f'{module}.') for module in modules)

    files = {name: imports_of(path) for name, path in FILES.items() if name.startswith(folder)}
    assert files
    found = {
        name: [m for m in sorted(imports) if within(m, prefixes) and not within(m, allowed)]
        for name, imports in files.items()
    }
    return {name: modules for name, modules in found.items() if modules}


@pytest.mark.parametrize(
    ('folder', 'prefixes', 'allowed'),
    [
        ('ops/', ('mmsigma', 'mmengine', 'mmcv', 'mmaction', 'timm'), ('mmsigma.ops',)),
        (
            'models/gta/losses/',
            ('mmsigma', 'mmengine'),
            ('mmsigma.ops', 'mmsigma.registry', 'mmsigma.models.gta.losses'),
        ),
        ('models/', ('mmsigma.datasets', 'mmsigma.engine', 'mmsigma.apis', 'mmsigma.visualization'), ()),
        ('datasets/', ('mmsigma.models', 'mmsigma.engine', 'mmsigma.apis'), ()),
        ('utils/', ('mmsigma.models', 'mmsigma.datasets', 'mmsigma.engine', 'mmsigma.apis'), ()),
        ('engine/', ('mmsigma.apis',), ()),
    ],
)
def test_imports_point_down(folder: str, prefixes: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    assert strangers(folder, prefixes, allowed) == {}


def test_operations_open_no_files() -> None:
    for name, path in FILES.items():
        if name.startswith('ops/'):
            assert not imports_of(path) & {'os', 'pathlib.Path', 'json', 'pickle'}, name
