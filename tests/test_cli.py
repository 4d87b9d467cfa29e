"""The command ``mmsigma``."""

import argparse
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mmsigma import __main__, cli
from mmsigma.apis import list_configs
from mmsigma.apis.browsing import SPLITS
from mmsigma.checkpoints.key_mapping import ORIGINS

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str, cwd: Path, **others) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'mmsigma', *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, **others)


def test_help_imports_nothing_that_takes_time() -> None:
    code = """
import contextlib, sys
from mmsigma.cli import BUILT_IN, TOOLS, run_command
run_command(['--help'])
slow = ('torch', 'numpy', 'mmengine', 'yaml', 'rich')
for name in (*TOOLS, *BUILT_IN):
    with contextlib.suppress(SystemExit):
        run_command([name, '--help'])
    print(f'imported by {name}:', [module for module in slow if module in sys.modules])
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    names = (*cli.TOOLS, *cli.BUILT_IN)
    assert all(f'  {name} ' in done.stdout for name in names)
    assert all(f'usage: mmsigma {name}' in done.stdout for name in names)
    assert [line for line in done.stdout.splitlines() if line.startswith('imported by')] == [
        f'imported by {name}: []' for name in names
    ]


def test_the_package_can_be_run() -> None:
    assert __main__.run_command is cli.run_command


def test_every_tool_is_there() -> None:
    scripts = {path.relative_to(ROOT / 'tools').as_posix() for path in (ROOT / 'tools').glob('*.py')}
    scripts |= {f'model_converters/{path.name}' for path in (ROOT / 'tools/model_converters').glob('*.py')}
    assert scripts == {tool.script for tool in cli.TOOLS.values()}


def test_tools_are_run_from_any_folder(tmp_path: Path) -> None:
    done = run('train', '--help', cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith('usage: mmsigma train [-h]')
    done = run('config', 'mmsigma::demo/sigma_tiny_demo_mlp', cwd=tmp_path)
    assert done.returncode == 0 and "type='SIGMA'" in done.stdout
    done = run('train', 'mmsigma::demo/none', cwd=tmp_path)
    assert done.returncode == 1 and 'there is no config mmsigma::demo/none' in done.stderr.splitlines()[0]


def test_help_names_commands_and_configs_of_an_installation() -> None:
    text = (
        'python tools/probe.py knn a\ntorchrun --nproc-per-node 8 tools/extract_features.py configs/knn/x.py a b '
        '--launcher pytorch\nbash tools/launch.sh 2 tools/sweep.py CONFIG --launcher pytorch\ntools/report.py reads it'
    )
    assert cli._in_commands(text).splitlines() == [
        'mmsigma probe knn a',
        'mmsigma extract -n 8 mmsigma::knn/x a b',
        'mmsigma sweep -n 2 CONFIG',
        'mmsigma report reads it',
    ]


def test_packages_that_are_lacking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = 'torch is not installed: run "pip install -e ."'
    for name, message in (('torch', told), ('torch.lacking', None), ('lacking', None)):
        (tmp_path / 'train.py').write_text(f'raise ModuleNotFoundError("No module named {name}", name="{name}")')
        monkeypatch.setattr(cli, 'tools_folder', lambda: tmp_path)
        with pytest.raises(SystemExit if message else ModuleNotFoundError, match=message):
            cli.run_command(['train'])


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['trian'], "there is no command 'trian'; did you mean 'train'?"),
        (['probe', '-n', '2'], 'mmsigma probe runs on one process'),
        (['train', '-n', 'config.py'], 'mmsigma train -n needs the number of processes'),
        (['convert', 'a.h5', 'b', '--to', 'hf'], 'weights of keras are converted to ours only'),
        (['list', 'nothing'], "no config matches 'nothing'"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.run_command(arguments)
    said = f'{stopped.value.code}\n{capsys.readouterr().err}'
    assert message in said and 'Traceback' not in said


@pytest.mark.parametrize('place', [0, 1, 2])
def test_several_processes_are_launched(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    called = []

    def replace(file: str, command: list[str]) -> None:
        called.append(command)
        raise SystemExit

    monkeypatch.setattr(cli.os, 'execvp', replace)
    with pytest.raises(SystemExit):
        arguments = ['config.py', '--amp']
        cli.run_command(['train', *arguments[:place], '-n', '8', *arguments[place:]])
    (command,) = called
    assert command[0] == 'bash' and command[1].endswith('tools/launch.sh') and command[2] == '8'
    assert command[3].endswith('tools/train.py') and command[4:] == ['--launcher', 'pytorch', 'config.py', '--amp']


@pytest.mark.parametrize(
    ('arguments', 'tool', 'given'),
    [
        (['a.pth', 'b.pth', '--trust'], 'convert-sigma', ['a.pth', 'b.pth', '--trust']),
        (['a.pth', 'b', '--from', 'sigma', '--to', 'hf'], 'convert-sigma', ['a.pth', 'b', '--to', 'hf']),
        (['a.h5', 'b.pth'], 'convert-gta', ['a.h5', 'b.pth']),
        (['ckpt-20', 'b.pth', '--from', 'tensorflow'], 'convert-gta', ['ckpt-20', 'b.pth']),
        (['ckpt-20.index', 'b.pth', '--to', 'ours'], 'convert-gta', ['ckpt-20.index', 'b.pth']),
        (['a.pth', 'b', '--to', 'folder', '--config', 'c.py'], 'export', ['a.pth', 'b', '--config', 'c.py']),
        (['--to', 'hf', '--help'], 'convert-sigma', ['--to', 'hf', '--help']),
    ],
)
def test_convert_chooses_the_converter(
    arguments: list[str], tool: str, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    monkeypatch.setattr(cli, '_run', lambda *call: called.append(call))
    cli.run_command(['convert', *arguments])
    assert called[0][0] == tool and called[0][1][: len(given)] == given


def test_list_describes_all_configs(capsys: pytest.CaptureFixture) -> None:
    rows = dict(cli.describe_configs())
    assert {f'mmsigma::{name}' for name in rows} == set(list_configs())
    assert all(rows.values())
    assert rows['sigma/vitb_k400_dino'] == 'SIGMA-DINO, ViT-B, Kinetics-400, 800 epochs'
    cli.run_command(['list', 'vitb_k400_*'])
    out = capsys.readouterr().out
    assert 'sigma/vitb_k400_mlp' in out and 'train one with "mmsigma train mmsigma::' in out


def test_scripts_that_are_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, 'PACKAGE', tmp_path / 'mmsigma')
    with pytest.raises(SystemExit, match='run "pip install -e ."'):
        cli.tools_folder()


@pytest.mark.parametrize('script', sorted([*ROOT.glob('tools/**/*.py'), *ROOT.glob('demo/*.py')]), ids=lambda p: p.name)
def test_every_argument_is_described(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsers: list[argparse.ArgumentParser] = []

    def stop(parser: argparse.ArgumentParser, *arguments: object) -> None:
        parsers.append(parser)
        raise SystemExit

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_args', stop)
    with pytest.raises(SystemExit):
        runpy.run_path(str(script), run_name='__main__')
    (parser,) = parsers
    assert not [action.option_strings or action.dest for action in parser._actions if not action.help]
    # which are written out there, as help imports nothing
    listed = {'convert_sigma': ('to', ORIGINS), 'browse_dataset': ('split', SPLITS)}
    if script.stem in listed:
        name, choices = listed[script.stem]
        assert next(action.choices for action in parser._actions if action.dest == name) == choices


def test_whoever_reads_the_output_may_stop(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -u -m mmsigma list | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert len(done.stdout.splitlines()) == 1 and not done.stderr
