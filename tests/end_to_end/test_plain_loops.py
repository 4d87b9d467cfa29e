"""The training loops without Runner."""

import json
import math
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from mmsigma.synthetic.demo_data import make_demo_dataset

LOOPS = ('sigma', 'mask_vos', 'gta')


def loop(repository: Path, name: str) -> dict[str, Callable]:
    return runpy.run_path(str(repository / 'demo' / f'{name}_loop.py'))


def test_loss_of_sigma_falls(repository: Path, demo_set: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = loop(repository, 'sigma')['train'](demo_set / 'videos', steps=2)
    assert math.isfinite(first) and second < first
    assert 'step 2/2' in capsys.readouterr().out


def test_masks_of_a_round_join_the_loss(
    repository: Path, demo_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = loop(repository, 'mask_vos')['train'](demo_set / 'videos', tmp_path, steps=2)
    assert len(before) == len(after) == 2 and all(map(math.isfinite, before + after))
    manifest = json.loads((tmp_path / 'pseudo_masks' / 'round_000' / 'manifest.json').read_text())
    assert manifest['videos'] == 20 and not manifest['unreadable'] and manifest['clusters_per_video'] > 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('step')]
    assert all('segmentation 0.000' in line for line in lines[:2])
    assert all('segmentation 0.000' not in line and 'segmentation' in line for line in lines[2:])


def test_loss_of_gta_falls(repository: Path, tmp_path: Path) -> None:
    folder = make_demo_dataset(tmp_path, num_videos=16, num_classes=2, num_masked=0)
    functions = loop(repository, 'gta')
    model, history = functions['train'](folder, steps=6)
    assert all(map(math.isfinite, history)) and min(history[3:]) < history[0]
    assert -1 <= functions['score'](model, folder, num_videos=3) <= 1


@pytest.mark.parametrize('name', LOOPS)
def test_are_short(repository: Path, name: str) -> None:
    assert len((repository / 'demo' / f'{name}_loop.py').read_text().splitlines()) <= 100
    assert f'demo/{name}_loop.py' in (repository / 'README.md').read_text()
