"""A file is written as a whole or not at all."""

import os
from pathlib import Path

import pytest

from mmsigma.io.atomic import make_folder, write_atomically


def test_writes_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'a.txt'
    write_atomically(path, lambda name: Path(name).write_text('content'))
    assert path.read_text() == 'content' and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize('below', ['', 'a', 'a/b'])
def test_files_in_the_place_of_folders_are_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / 'taken'
    file.write_text('mine')
    for make in (make_folder, lambda path: write_atomically(path / 'a.txt', lambda name: None)):
        with pytest.raises(NotADirectoryError, match=f'{file} is not a folder, so that nothing can be written to it'):
            make(file / below)
    assert file.read_text() == 'mine'


def test_writer_sees_a_file_with_the_right_suffix_beside(tmp_path: Path) -> None:
    names = []
    write_atomically(tmp_path / 'a.mp4', names.append)
    assert Path(names[0]).parent == tmp_path and Path(names[0]).suffix == '.mp4' and names[0] != 'a.mp4'


@pytest.mark.parametrize('error', [OSError('No space left on device'), KeyboardInterrupt()])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    def fail(name: str) -> None:
        Path(name).write_text('half of the n')
        raise error

    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(type(error)):
        write_atomically(path, fail)
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


def test_old_file_is_readable_until_the_new_one_is_complete(tmp_path: Path) -> None:
    def write(name: str) -> None:
        Path(name).write_text('new')
        assert path.read_text() == 'old'

    path = tmp_path / 'a.txt'
    path.write_text('old')
    write_atomically(path, write)
    assert path.read_text() == 'new'


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / 'a.txt', lambda name: Path(name).write_text(''))
    finally:
        os.umask(mask)
    assert (tmp_path / 'a.txt').stat().st_mode & 0o777 == 0o640
