"""The demos in one command: their steps are commands that exist, and configs that end where the next step begins."""

import runpy
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmsigma.cli import TOOLS
from mmsigma.utils.config import load_config
from tests.scripts import ROOT

DEMO = SimpleNamespace(**runpy.run_path(str(ROOT / 'tools' / 'demo.py')))


@pytest.mark.parametrize('name', ['sigma', 'vos', 'align'])
def test_steps(name: str, tmp_path: Path) -> None:
    make, train, show = DEMO.steps_of(name, tmp_path)
    assert make[1][0] == 'demo-data' and train[1][0] == 'train' and show[1][0] in ('prototypes', 'predict')
    assert {step[1][0] for step in (make, train, show)} <= TOOLS.keys()
    pairs = (option.split('=') for option in train[1][train[1].index('--cfg-options') + 1 :])
    options: dict = {key: int(value) if value.isdecimal() else value for key, value in pairs}
    cfg = load_config(next(word for word in train[1] if '::' in word), options)
    assert train[0] == tmp_path / name / f'epoch_{cfg.train_cfg.max_epochs}.pth'
    assert str(train[0]) in show[1]
    assert options['data_root'].startswith(make[1][make[1].index('--out') + 1])


def test_steps_that_are_done_are_left_out_and_failures_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        ran.append(command[3])
        return SimpleNamespace(returncode=3 * (command[3] == 'predict'))

    monkeypatch.setattr(subprocess, 'run', run)
    monkeypatch.setattr('sys.argv', ['demo', 'vos', '--out', str(tmp_path)])
    (tmp_path / 'vos').mkdir()
    (tmp_path / 'vos' / 'epoch_2.pth').touch()
    with pytest.raises(SystemExit, match='3'):
        DEMO.main()
    assert ran == ['demo-data', 'predict']
    assert 'epoch_2.pth is there already' in capsys.readouterr().out
