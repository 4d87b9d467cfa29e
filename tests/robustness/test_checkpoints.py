"""Damaged, harmful and foreign checkpoints: the stored values, or a CheckpointError that names the file."""

import io
import os
import pickle
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file
from mmsigma.checkpoints.io import find_weights, load_state_strictly, load_weights
from mmsigma.checkpoints.runs import run_checkpoints
from tests.robustness.damage import DAMAGES

WEIGHTS = {'weight': torch.arange(600.0).reshape(20, 30), 'bias': torch.arange(20.0)}
CONTENT = {'state_dict': WEIGHTS, 'meta': {'iter': 3, 'epoch': 1}, 'optimizer': {}, 'message_hub': {}}


def save(path: Path, kind: str) -> Path:
    if kind == 'safetensors':
        save_file(WEIGHTS, path)
    else:
        torch.save(CONTENT, path, _use_new_zipfile_serialization=kind == 'zip')
    return path


@pytest.mark.parametrize('kind', ['zip', 'old', 'safetensors'])
def test_damaged(tmp_path: Path, kind: str) -> None:
    """Only archives have checksums; in the others, values may be others, but never names, shapes or code."""
    path = tmp_path / ('a.safetensors' if kind == 'safetensors' else 'a.pth')
    whole = save(path, kind).read_bytes()
    for seed in range(6):
        for damage, apply in DAMAGES.items():
            rng = np.random.default_rng([seed, crc32(f'{kind} {damage}'.encode())])
            path.write_bytes(apply(bytearray(whole), rng))
            try:
                found = load_weights(path)
            except CheckpointError as error:
                assert str(path) in str(error) and '\n' not in str(error), damage
                continue
            assert damage == 'more' or not damage.startswith(('cut', 'header')), damage
            assert kind != 'zip' or found.keys() == WEIGHTS.keys()
            for name, value in found.items() if kind == 'zip' else ():
                torch.testing.assert_close(value, WEIGHTS[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    'data',
    [b'', b'P', b'PK', b'PK\3\4', b'PK\5\6' + bytes(18), b'\x80', b'\x80\2.', b'\x80\4.', b'<!DOCTYPE html>',
     b'version https://git-lfs.github.com/spec/v1\n', bytes(5000), b'{"a": 1}', b'\x1f\x8b' + bytes(50)],
)  # fmt: skip
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_what_is_no_checkpoint(tmp_path: Path, data: bytes, suffix: str) -> None:
    path = tmp_path / f'a.{suffix}'
    path.write_bytes(data)
    for trust in (False, True):
        with pytest.raises(CheckpointError, match=rf'a\.{suffix}'):
            load_weights(path, trust=trust)


class Harm:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('place', ['alone', 'value', 'key of meta'])
def test_nothing_is_executed(tmp_path: Path, zipped: bool, place: str) -> None:
    harm, path = Harm(tmp_path / 'harmed'), tmp_path / 'run' / 'epoch_1.pth'
    path.parent.mkdir()
    content = {'alone': harm, 'value': {**CONTENT, 'x': [harm]}, 'key of meta': {**CONTENT, 'meta': {'iter': harm}}}
    torch.save(content[place], path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match='is made to execute posix.mkdir'):
        load_checkpoint_file(path)
    assert run_checkpoints(path.parent).usable == []
    assert not (tmp_path / 'harmed').exists()


def test_plain_pickles_are_not_loaded(tmp_path: Path) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / 'a.pth').write_bytes(pickle.dumps(Harm(tmp_path / 'harmed'), protocol))
        with pytest.raises(CheckpointError, match=r'a\.pth'):
            load_checkpoint_file(tmp_path / 'a.pth')
    assert not (tmp_path / 'harmed').exists()


def rewritten(path: Path, change: Any) -> Path:
    """Write the entries of an archive anew."""
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, 'w') as target:
        for info in source.infolist():
            change(target, info.filename, source.read(info))
    return path


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    path = rewritten(
        save(tmp_path / 'a.pth', 'zip'),
        lambda file, name, data: file.writestr(name, bytes(1 << 26), zipfile.ZIP_DEFLATED) if '/data/' in name
        else file.writestr(name, data),
    )  # fmt: skip
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match='compressed or declare'):
        load_checkpoint_file(path)
    header = b'{"w":{"dtype":"F32","shape":[4000000000,4000000000],"data_offsets":[0,64000000000000000000]}}'
    (tmp_path / 'a.safetensors').write_bytes(struct.pack('<Q', len(header)) + header)
    with pytest.raises(CheckpointError, match=r'a\.safetensors'):
        load_checkpoint_file(tmp_path / 'a.safetensors')


def test_huge_shapes_of_little_data(tmp_path: Path) -> None:
    """A tensor may repeat one number as often as it likes: what does not fit is refused before it is looked at."""
    model, path = torch.nn.Linear(30, 20), tmp_path / 'a.pth'
    torch.save({'weight': torch.zeros(1).expand(10**6, 10**6), 'bias': torch.zeros(20)}, path)
    with pytest.raises(CheckpointError, match=r'a\.pth was made for a model of another size'):
        load_state_strictly(model, load_weights(path), origin=path)


@pytest.mark.parametrize(
    ('weight', 'message'),
    [
        (torch.full((20, 30), torch.nan), 'NaN or infinite'),
        (torch.full((20, 30), -torch.inf), 'NaN or infinite'),
        (torch.zeros(20, 30, dtype=torch.int64), 'another type than floating-point'),
        (torch.zeros(20, 30, dtype=torch.bool), 'another type than floating-point'),
        (torch.zeros(20, 30, dtype=torch.complex64), 'another type than floating-point'),
        (torch.zeros(20, 30).to_sparse(), 'sparse parameters'),
        (torch.quantize_per_tensor(torch.zeros(20, 30), 0.1, 0, torch.qint8), 'another type than floating-point'),
        (torch.zeros(30, 20), 'another size'),
        (torch.zeros(0), 'another size'),
    ],
)
def test_values_that_no_model_has(tmp_path: Path, weight: torch.Tensor, message: str) -> None:
    path, model = tmp_path / 'a.pth', torch.nn.Linear(30, 20)
    torch.save({'weight': weight, 'bias': torch.zeros(20)}, path)
    with pytest.raises(CheckpointError, match=message):
        load_state_strictly(model, load_weights(path), origin=path)


@pytest.mark.parametrize('prefix', ['module.', '_orig_mod.', 'module._orig_mod.', 'model.', 'model.module.', 'net.'])
def test_wrappers(prefix: str) -> None:
    content = {'state_dict': {prefix + name: value for name, value in WEIGHTS.items()}}
    assert find_weights(content, 'a.pth').keys() == WEIGHTS.keys()


@pytest.mark.parametrize(
    'content', [None, 3, [], 'x', {'state_dict': 3}, {'state_dict': {'w': 3}}, {3: 4}, {3: 4, 'a': 5}]
)
def test_contents_without_weights(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'a\.pth'):
        load_weights(tmp_path / 'a.pth')


def test_the_newest_checkpoint_that_can_be_read(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        torch.save({**CONTENT, 'meta': {'iter': number, 'epoch': number}}, tmp_path / f'epoch_{number}.pth')
    shutil.copy(tmp_path / 'epoch_2.pth', tmp_path / '._epoch_9.pth')
    data = (tmp_path / 'epoch_3.pth').read_bytes()
    (tmp_path / 'epoch_3.pth').write_bytes(data[: len(data) // 2])
    os.mkfifo(tmp_path / 'epoch_4.pth')
    (tmp_path / 'epoch_5.pth').mkdir()
    (tmp_path / 'epoch_6.pth').symlink_to('epoch_6.pth')
    found = run_checkpoints(tmp_path)
    assert [path.name for path in found.usable] == ['epoch_2.pth', 'epoch_1.pth']
    assert any('epoch_3.pth is damaged' in reason for reason in found.damaged)
