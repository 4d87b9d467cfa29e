"""Reading checkpoint files that are damaged, or made to do harm."""

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from mmsigma.checkpoints.files import CheckpointError, load_checkpoint_file, peek, sha256_of

CONTENT = {'state_dict': {'weight': torch.arange(4096.0)}, 'meta': {'iter': 3}}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.save(CONTENT, tmp_path / 'a.pth')
    return tmp_path / 'a.pth'


def flip(path: Path, place: int, count: int = 4) -> None:
    data = bytearray(path.read_bytes())
    for index in range(place, place + count):
        data[index] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize('trust', [True, False])
def test_flipped_bytes_are_found_by_their_checksum(saved: Path, trust: bool) -> None:
    with zipfile.ZipFile(saved) as archive:
        (entry,) = (info for info in archive.infolist() if info.filename.endswith('data/0'))
    flip(saved, entry.header_offset + 2000)
    assert torch.load(saved, weights_only=True)['meta'] == {'iter': 3}  # torch itself sees nothing
    with pytest.raises(CheckpointError, match=r'a\.pth is damaged.*checksum of its entry a/data/0 is wrong'):
        load_checkpoint_file(saved, trust=trust)


@pytest.mark.parametrize('place', range(0, 18000, 1500))
def test_no_flipped_byte_leads_to_trust_or_another_value(saved: Path, place: int) -> None:
    flip(saved, min(place, saved.stat().st_size - 5))
    try:
        found = load_checkpoint_file(saved)
    except CheckpointError as error:
        assert 'is damaged' in str(error) and '--trust' not in str(error)
    else:  # of padding
        torch.testing.assert_close(found, CONTENT, rtol=0, atol=0)


@pytest.mark.parametrize(
    'data', [b'PK', b'PK\x03\x04', b'\x80\x02', b'\x80\x02}q', b'PK\x03\x04' + bytes(100), b'\x80']
)
@pytest.mark.parametrize('trust', [True, False])
def test_beginnings_of_files_are_damaged_files(tmp_path: Path, data: bytes, trust: bool) -> None:
    (tmp_path / 'a.pth').write_bytes(data)
    with pytest.raises(CheckpointError, match='is damaged or not a checkpoint: .') as error:
        load_checkpoint_file(tmp_path / 'a.pth', trust=trust)
    assert '--trust' not in str(error.value)


def test_zip_bombs_are_refused_before_memory_is_taken(saved: Path) -> None:
    bomb = saved.with_name('bomb.pth')
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(bomb, 'w', zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            target.writestr(info.filename, bytes(1 << 24) if info.filename.endswith('data/0') else source.read(info))
    with pytest.raises(CheckpointError, match=r'bomb\.pth is damaged.*compressed or declare 1\d{7} bytes, while'):
        load_checkpoint_file(bomb)


def test_huge_storage_of_an_old_file(tmp_path: Path) -> None:
    path = tmp_path / 'old.pth'
    torch.save(CONTENT, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(pickle.dumps(4096, 2)[2:-1], pickle.dumps(2**31 - 1, 2)[2:-1]))
    with pytest.raises(CheckpointError, match=r'old\.pth is damaged'):
        load_checkpoint_file(path)


def test_what_trust_is_for_is_named(tmp_path: Path) -> None:
    torch.save({'args': argparse.Namespace(lr=1)}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'\(argparse\.Namespace\), and loading it could execute code.*--trust'):
        load_checkpoint_file(tmp_path / 'a.pth')


def test_folder_with_the_name_of_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / 'a.pth').mkdir()
    with pytest.raises(FileNotFoundError, match=r'a\.pth is a folder, not a checkpoint file'):
        load_checkpoint_file(tmp_path / 'a.pth')
    with pytest.raises(FileNotFoundError, match='contains no checkpoints'):
        load_checkpoint_file(tmp_path / 'b.pth')


def test_files_beside_a_missing_one(saved: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*b\.pth: .* contains a\.pth$'):
        load_checkpoint_file(saved.with_name('b.pth'))
    with pytest.raises(FileNotFoundError, match=r'there is no folder .*nowhere$'):
        load_checkpoint_file(saved.parent / 'nowhere' / 'b.pth')


def test_a_glance_takes_no_values(saved: Path) -> None:
    assert peek(saved)['meta'] == {'iter': 3}
    saved.write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match='is damaged'):
        peek(saved)


def test_checksum_of_a_file_or_a_name(tmp_path: Path) -> None:
    (tmp_path / 'abc').write_bytes(b'abc')
    assert sha256_of(tmp_path / 'abc') == 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert sha256_of('hub') == 'hub' and sha256_of(None) == 'None'


def test_what_runs_programs_is_no_matter_of_trust(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> object:
            return os.mkdir, (str(tmp_path / 'harmed'),)

    torch.save({'state_dict': Harm()}, tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match=r'a\.pth is made to execute posix\.mkdir') as error:
        load_checkpoint_file(tmp_path / 'a.pth')
    assert '--trust' not in str(error.value) and not (tmp_path / 'harmed').exists()


def test_links_to_nowhere_are_not_listed(saved: Path) -> None:
    saved.with_name('c.pth').symlink_to('nowhere.pth')
    with pytest.raises(FileNotFoundError, match=r'contains a\.pth$'):
        load_checkpoint_file(saved.with_name('b.pth'))
