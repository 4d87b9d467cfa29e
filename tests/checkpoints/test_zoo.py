"""The zoo: its table, its commands, and downloads from a stand-in of the hub."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from mmsigma.checkpoints import zoo
from mmsigma.checkpoints.zoo import ZOO, DownloadError, Weights, check_digest, fetch, zoo_table
from mmsigma.cli import BUILT_IN, TOOLS


def test_the_page_has_this_table(repository: Path) -> None:
    assert zoo_table() in (repository / 'docs' / 'model_zoo.md').read_text(), f'the page should hold:\n{zoo_table()}'


@pytest.mark.parametrize('name', ZOO)
def test_commands_and_configs_are_there(name: str, repository: Path) -> None:
    weights = ZOO[name]
    command = weights.use.split()
    assert command[0] == 'mmsigma' and command[1] in {**TOOLS, **BUILT_IN} and 'FILE' in weights.use
    for config in re.findall(r'mmsigma::([\w/]+)', weights.use):
        assert (repository / 'configs' / f'{config}.py').is_file()
    assert (weights.hub is None) != (weights.page is None)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Stands in for the hub: files by repository."""
    files = {
        'MCG-NJU/videomae-base': ['README.md', 'model.safetensors', 'pytorch_model.bin'],
        'SMSD75/SIGMA': ['one.pth', 'two.pth'],
    }

    def download(repo: str, file: str, local_dir: Path) -> str:
        if file not in files[repo]:
            raise huggingface_hub.errors.LocalEntryNotFoundError('no such file')
        local_dir.mkdir(parents=True)
        (local_dir / file).write_bytes(file.encode())
        return str(local_dir / file)

    monkeypatch.setattr(huggingface_hub, 'list_repo_files', files.__getitem__)
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download', download)
    return files


def test_download(hub: dict[str, list[str]], tmp_path: Path) -> None:
    said: list[str] = []
    path = fetch('videomae-base', tmp_path, say=said.append)
    assert path == tmp_path / 'videomae-base' / 'model.safetensors'
    assert hashlib.sha256(b'model.safetensors').hexdigest() in said[1] and 'licence: CC-BY-NC-4.0' in said[1]
    assert said[0].startswith('asking the hub for MCG-NJU/videomae-base;')
    assert said[2] == f'then: mmsigma extract mmsigma::knn/vitb_k400 {path} features'
    with pytest.raises(ValueError, match='SMSD75/SIGMA has 2 files with weights; choose one with --file: one.pth, two'):
        fetch('sigma', tmp_path)
    assert fetch('sigma', tmp_path, 'two.pth') == tmp_path / 'sigma' / 'two.pth'


def test_what_is_not_on_the_hub_is_linked(tmp_path: Path) -> None:
    said: list[str] = []
    assert fetch('crw', tmp_path, say=said.append) is None
    assert 'https://github.com/ajabri/videowalk' in said[0] and 'vos/r18_crw' in said[1]


def test_without_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError('Name or service not known')

    monkeypatch.setattr(huggingface_hub, 'list_repo_files', refuse)
    with pytest.raises(DownloadError, match=r'\(Name or service not known\).*copy it to .*dino-vits8; .*HF_ENDPOINT'):
        fetch('dino-vits8', tmp_path)
    assert not list(tmp_path.iterdir())


def test_digests(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / 'file.h5'
    path.write_bytes(b'weights')
    monkeypatch.setitem(zoo.ZOO, 'one', Weights('', '', '', page='', md5=hashlib.md5(b'weights').hexdigest()))
    check_digest('one', path)
    path.write_bytes(b'others')
    with pytest.raises(ValueError, match='download it again'):
        check_digest('one', path)


def test_command(run_tool: Callable[..., Any], hub: dict[str, list[str]], tmp_path: Path) -> None:
    done = run_tool('tools/download.py')
    assert done.status == 0 and all(f'{name} ' in done.output for name in ZOO)
    done = run_tool('tools/download.py', 'videomae-base', '--out', tmp_path)
    assert done.status == 0 and (tmp_path / 'videomae-base' / 'model.safetensors').is_file()
    done = run_tool('tools/download.py', 'videomae_base', '--out', tmp_path)
    assert done.status == 1 and "no weights 'videomae_base': did you mean videomae-base?" in done.errors
    done = run_tool('tools/download.py', 'sigma', '--out', tmp_path)
    assert done.status == 1 and done.errors.startswith('sigma: SMSD75/SIGMA has 2 files')
