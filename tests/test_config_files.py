"""Configs are few, quick to read, and plain: what a leaf does is in it and at most three other files."""

import ast
from functools import cache
from pathlib import Path
from statistics import median

import pytest

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
FILES = sorted(CONFIGS.rglob('*.py'))
RUNNABLE = [path for path in FILES if '_base_' not in path.parts]
every_file = pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(CONFIGS)))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def bases(path: Path) -> tuple[Path, ...]:
    """What a file names as its bases."""
    for node in tree_of(path).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], 'id', '') == '_base_':
            return tuple((path.parent / name).resolve() for name in ast.literal_eval(node.value))
    return ()


@cache
def files_to_read(path: Path) -> frozenset[Path]:
    return frozenset({path}).union(*map(files_to_read, bases(path)))


@cache
def chain(path: Path) -> int:
    """Files on the longest way from one that has no base."""
    return 1 + max(map(chain, bases(path)), default=0)


def test_few_files() -> None:
    assert 100 < len(FILES) <= 150


def test_few_files_to_read() -> None:
    counts = {path: len(files_to_read(path)) for path in RUNNABLE}
    assert median(counts.values()) <= 4 and max(counts.values()) <= 6


@pytest.mark.parametrize('path', RUNNABLE, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_short_chains(path: Path) -> None:
    assert chain(path) <= 4


def test_every_base_is_used() -> None:
    used = frozenset().union(*map(files_to_read, RUNNABLE))
    assert used == set(FILES)


@every_file
def test_begins_with_what_it_is(path: Path) -> None:
    assert path.read_text().startswith('# ')


@every_file
def test_bases_are_not_changed_in_place(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        assert not isinstance(node, ast.AugAssign | ast.Delete)
        if isinstance(node, ast.Assign):
            assert all(isinstance(target, ast.Name) for target in node.targets), ast.unparse(node)


@every_file
def test_hooks_are_not_picked_by_place(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Subscript):
            assert 'hooks' not in ast.unparse(node.value), ast.unparse(node)
