"""The training loop without Runner."""

import math
import runpy
from pathlib import Path


def test_loss_falls_without_a_runner(repository: Path, demo_set: Path, capsys) -> None:
    train = runpy.run_path(str(repository / 'demo' / 'plain_loop.py'))['train']
    first, second = train(demo_set / 'videos', steps=2)
    assert math.isfinite(first) and second < first
    assert 'step 2/2' in capsys.readouterr().out
