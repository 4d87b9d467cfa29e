"""Imports point down, methods stay at home, nothing goes round in a circle, and files and functions are short."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'mmsigma'
FILES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob('*.py')) if '.mim' not in path.parts}
MODULES = {'.'.join(('mmsigma', *Path(name).with_suffix('').parts)).removesuffix('.__init__') for name in FILES}
METHODS = ('sigma', 'mask_vos', 'gta', 'classification', 'clustering', 'counting', 'dino', 'propagation')
# what one method may take from another, as docs/architecture.md says
NEIGHBOURS = {'mask_vos': ('propagation',)}
OTHERS = ('mmengine', 'mmcv', 'mmaction', 'timm')


def test_the_tree_has_no_other_methods() -> None:
    found = {path.name for path in (PACKAGE / 'models').iterdir() if (path / '__init__.py').exists()}
    assert found == {*METHODS, 'backbones'}


def statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements but those that only type checkers read."""
    for node in body:
        if isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.unparse(node.test):
            continue
        yield node
        for field in ('body', 'orelse', 'finalbody'):
            yield from statements(getattr(node, field, ()))
        for handler in getattr(node, 'handlers', ()):
            yield from statements(handler.body)


@cache
def imports_of(name: str) -> frozenset[str]:
    """Full names of all modules that a file imports from, wherever it does so."""
    found = set()
    for node in statements(ast.parse(FILES[name].read_text()).body):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parents = ['mmsigma', *Path(name).parts[: -node.level]] if node.level else []
            module = '.'.join([*parents, *([node.module] if node.module else [])])
            found |= {f'{module}.{alias.name}' for alias in node.names}
    return frozenset(found)


def strangers(folder: str, prefixes: tuple[str, ...], allowed: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """What the files below a folder import with one of the prefixes but none of those allowed."""

    def within(name: str, modules: tuple[str, ...]) -> bool:
        return any(f'{name}.'.startswith(f'{module}.') for module in modules)

    files = [name for name in FILES if name.startswith(folder)]
    assert files
    found = {
        name: [m for m in sorted(imports_of(name)) if within(m, prefixes) and not within(m, allowed)] for name in files
    }
    return {name: modules for name, modules in found.items() if modules}


def mmsigma(*areas: str) -> tuple[str, ...]:
    return tuple(f'mmsigma.{area}' for area in areas)


@pytest.mark.parametrize(
    ('folder', 'prefixes', 'allowed'),
    [
        ('ops/', ('mmsigma', *OTHERS), mmsigma('ops')),
        ('io/', ('mmsigma',), mmsigma('io', 'ops')),
        ('checkpoints/', ('mmsigma',), mmsigma('checkpoints', 'io', 'ops')),
        ('synthetic/', ('mmsigma', 'torch', *OTHERS), mmsigma('synthetic', 'io')),
        ('utils/', ('mmsigma',), mmsigma('utils', 'registry', 'compat')),
        ('datasets/', ('mmsigma',), mmsigma('datasets', 'io', 'ops', 'registry', 'utils')),
        ('models/', ('mmsigma',), mmsigma('models', 'checkpoints', 'io', 'ops', 'registry', 'compat')),
        ('models/gta/losses/', ('mmsigma', 'mmengine'), mmsigma('ops', 'registry', 'models.gta.losses')),
        ('models/interfaces.py', ('mmsigma',), ()),
        ('visualization/', ('mmsigma',), mmsigma('visualization', 'datasets', 'io', 'ops')),
        ('evaluation/', ('mmsigma',), mmsigma('evaluation', 'visualization', 'io', 'ops', 'registry')),
        ('engine/', mmsigma('apis', 'app'), ()),
        ('apis/', (*mmsigma('app'), 'gradio'), ()),
    ],
)
def test_imports_point_down(folder: str, prefixes: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    assert strangers(folder, prefixes, allowed) == {}


@pytest.mark.parametrize('method', METHODS)
def test_methods_do_not_import_each_other(method: str) -> None:
    others = mmsigma(*(f'models.{other}' for other in METHODS if other not in (method, *NEIGHBOURS.get(method, ()))))
    assert strangers(f'models/{method}/', others) == {}
    assert strangers('models/backbones/', mmsigma(*(f'models.{other}' for other in METHODS))) == {}


def test_no_imports_in_a_circle() -> None:
    graph = {}
    for name in FILES:
        module = '.'.join(('mmsigma', *Path(name).with_suffix('').parts)).removesuffix('.__init__')
        needed = {m if m in MODULES else m.rpartition('.')[0] for m in imports_of(name)}
        graph[module] = (needed & MODULES) - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f'imports in a circle: {" <- ".join(error.args[1])}')


def test_operations_open_no_files() -> None:
    for name in FILES:
        if name.startswith('ops/'):
            assert not imports_of(name) & {'os', 'pathlib.Path', 'json', 'pickle'}, name


def test_functions_and_files_are_short() -> None:
    for name, path in FILES.items():
        source = path.read_text()
        assert source.count('\n') <= 400, name
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                begin = node.body[1 if documented and len(node.body) > 1 else 0].lineno
                assert (node.end_lineno or 0) - begin < 60, f'{name}: {node.name}'


def test_a_public_name_has_one_meaning() -> None:
    """A class, function or constant of one name in two modules is either the same definition or a confusion."""
    found: dict[str, dict[str, str]] = {}
    for name, path in FILES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                defined = [node.name]
            elif isinstance(node, ast.Assign):
                defined = [target.id for target in node.targets if isinstance(target, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                defined = [node.target.id]
            else:
                continue
            for one in defined:
                if not one.startswith('_'):
                    found.setdefault(one, {})[name] = ast.unparse(node)
    assert {one: sorted(places) for one, places in found.items() if len(set(places.values())) > 1} == {}
