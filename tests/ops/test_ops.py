"""What the package of operations offers."""

import ast
import pkgutil
from pathlib import Path
from types import ModuleType

from mmsigma import ops

OPTIONAL = {'dtw_kernels'}  # is imported by another module, if numba is installed


def test_all_public_functions_are_exported_and_hide_no_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(ops.__path__)}
    assert not modules & set(ops.__all__)
    assert all(isinstance(getattr(ops, name), ModuleType) for name in modules if hasattr(ops, name))
    public = set()
    for path in Path(ops.__path__[0]).glob('[!_]*.py'):
        if path.stem in OPTIONAL:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith('_'):
                public.add(node.name)
    assert public == set(ops.__all__)
    assert all(getattr(ops, name).__doc__ for name in ops.__all__)
