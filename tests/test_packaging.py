"""The wheel, installed away from the repository."""

import importlib
import pkgutil
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

import mmsigma
from mmsigma.version import __version__

ROOT = Path(__file__).parents[1]


def test_every_module_imports():
    for module in pkgutil.walk_packages(mmsigma.__path__, 'mmsigma.'):
        importlib.import_module(module.name)


STUB = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
    *'import cv2'*) exit {status} ;;
    *'version('*) echo 5.0.1 ;;
esac
"""


@pytest.mark.skipif(shutil.which('make') is None, reason='no make')
@pytest.mark.parametrize('opencv_works', [True, False])
def test_make_replaces_an_opencv_that_lacks_libraries(tmp_path: Path, opencv_works: bool):
    log, python = tmp_path / 'log', tmp_path / 'venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.write_text(STUB.format(log=log, status=0 if opencv_works else 1))
    python.chmod(0o755)
    target = tmp_path / 'venv' / '.installed'
    command = ['make', f'VENV={tmp_path}/venv', f'PYTHON={python}', str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    calls = log.read_text()
    assert ('opencv-contrib-python-headless==5.0.1' in calls) == ('uninstall' in calls) == (not opencv_works)
    assert target.exists()


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp('wheel')
    source = tmp_path_factory.mktemp('source') / 'mmsigma'
    # a clean copy: no build folder, no links of an editable install
    listing = subprocess.run(['git', 'ls-files'], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip('not a git checkout')
    for name in listing.stdout.splitlines():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (path,) = out.glob('*.whl')
    return path


def test_wheel_carries_configs_and_tools(wheel):
    assert wheel.name == f'mmsigma-{__version__}-py3-none-any.whl'
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {'mmsigma/.mim/configs/sigma/vitb_k400_dino.py', 'mmsigma/.mim/tools/train.py'} <= names
    assert not [name for name in names if name.startswith('tests')]


@pytest.mark.slow
def test_wheel_in_a_clean_environment(wheel, tmp_path):
    """Its own environment with the wheel alone; dependencies come from the running one."""
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', str(tmp_path / 'env')], check=True)
    (site,) = (tmp_path / 'env' / 'lib').glob('python*/site-packages')
    python = tmp_path / 'env' / 'bin' / 'python'
    pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index', '--target', str(site)]
    subprocess.run([*pip, str(wheel)], check=True)
    # A path added by a .pth file brings packages but not the hooks that editable installs are found by.
    (site / 'others.pth').write_text(f'{Path(importlib.import_module("torch").__file__).parents[1]}\n')
    config = tmp_path / 'mine.py'
    config.write_text(
        textwrap.dedent(
            """
            _base_ = ['mmsigma::sigma/vitb_k400_dino.py']
            model = dict(head=dict(num_prototypes=500))
            """
        )
    )
    script = textwrap.dedent(
        f"""
        import importlib, pkgutil
        import mmsigma
        assert mmsigma.__file__.startswith({str(site)!r}), mmsigma.__file__
        for module in pkgutil.walk_packages(mmsigma.__path__, 'mmsigma.'):
            importlib.import_module(module.name)
        from mmsigma.utils.config import load_config
        from mmsigma.utils.preflight import check_config
        cfg = load_config({str(config)!r}, dict(data_root='elsewhere'))
        check_config(cfg)
        assert cfg.model.head.num_prototypes == 500 and cfg.model.backbone.arch == 'base'
        assert cfg.train_dataloader.dataset.data_root == 'elsewhere'
        print('fine')
        """
    )
    run = subprocess.run([str(python), '-c', script], capture_output=True, text=True, cwd=tmp_path)
    assert run.stdout.strip().endswith('fine'), run.stderr[-3000:]
