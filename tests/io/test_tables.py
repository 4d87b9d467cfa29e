"""Tables as files."""

from pathlib import Path

import pytest

from mmsigma.io.tables import write_csv


def test_cells(tmp_path: Path) -> None:
    path = tmp_path / 'new' / 'table.csv'
    write_csv(path, [('video', 'J', 'frames'), ('a, b', 1 / 3, 7), ('c', float('nan'), 8)])
    assert path.read_bytes() == b'video,J,frames\r\n"a, b",0.333,7\r\nc,nan,8\r\n'
    write_csv(path, iter([[2 / 3]]), digits=1)
    assert path.read_bytes() == b'0.7\r\n'


def test_nothing_is_lost_by_bad_lines(tmp_path: Path) -> None:
    write_csv(tmp_path / 'table.csv', [('one',)])
    with pytest.raises(TypeError):
        write_csv(tmp_path / 'table.csv', [('two',), 3])
    assert (tmp_path / 'table.csv').read_text() == 'one\n'
