"""Running converters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def convert(run_tool: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Runs a converter, given by its name, on the dataset in ``tmp_path``."""
    return lambda name, *args: run_tool(f'tools/dataset_converters/{name}.py', tmp_path, *args)
