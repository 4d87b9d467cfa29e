"""The training loop without Runner."""

import math
import runpy
from pathlib import Path


def test_loss_falls_without_a_runner(repository: Path, demo_set: Path, capsys) -> None:
    train = runpy.run_path(str(repository / 'demo' / 'plain_loop.py'))['train']
    first, second = train(demo_set / 'videos', steps=2)
    assert math.isfinite(first) and second < first
    assert 'step 2/2' in capsys.readouterr().out


def test_is_as_short_as_the_readme_says(repository: Path) -> None:
    lines = len((repository / 'demo' / 'plain_loop.py').read_text().splitlines())
    assert f'(demo/plain_loop.py) has {lines} lines' in (repository / 'README.md').read_text()
