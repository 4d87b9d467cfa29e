"""Tables as files."""

from pathlib import Path

import pytest

from mmsigma.io.tables import read_csv, write_csv


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


def test_rows_are_read_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / 'table.csv'
    path.write_text('\r\n path ;label\r\n"a; b" ; 1\r\n\r\nc;\r\n', encoding='utf-16')
    titles, rows = read_csv(path, ';')
    assert titles == ['path', 'label']
    assert rows == [
        (f'{path}, line 3', {'path': 'a; b', 'label': '1'}),
        (f'{path}, line 5', {'path': 'c', 'label': ''}),
    ]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a,b,a\n1,2,3', "table.csv, line 1: two columns are called 'a'"),
        ('a,b\n1,2\n1', r"table.csv, line 3 has 1 cells, but there are 2 columns \['a', 'b'\]"),
        ('a,b\n1,2,3', "line 2 has 3 cells.*put cells that contain ',' in double quotes"),
        ('a,b\n' + 'x' * 200_000 + ',1', 'line 2 is not CSV: field larger than field limit'),
    ],
)
def test_faults_are_located(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'table.csv').write_text(text)
    with pytest.raises(ValueError, match=message):
        read_csv(tmp_path / 'table.csv')
