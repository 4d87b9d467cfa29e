"""Texts in the encodings and with the line ends that editors of other systems write."""

from pathlib import Path

import pytest

from mmsigma.io.text import numbered_lines, read_json, read_lines, read_text


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'utf-32'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_encodings_and_line_ends(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / 'a.txt'
    path.write_bytes(f'é one{end}{end} two\tthree {end}'.encode(encoding))
    assert read_text(path) == 'é one\n\n two\tthree \n'
    assert read_lines(path) == ['é one', 'two\tthree']
    assert numbered_lines(path) == [(1, 'é one'), (3, 'two\tthree')]


def test_big_endian_utf_16(tmp_path: Path) -> None:
    (tmp_path / 'a.txt').write_bytes(b'\xfe\xff' + 'é\n'.encode('utf-16-be'))
    assert read_text(tmp_path / 'a.txt') == 'é\n'


def test_characters_of_names_end_no_line(tmp_path: Path) -> None:
    (tmp_path / 'a.txt').write_text('one\x0btwo\x1c\u2028three\x85four', encoding='utf-8')
    assert len(read_lines(tmp_path / 'a.txt')) == 1


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    path.write_bytes('one\r\ncafé.mp4 3\r\n'.encode('latin-1'))
    with pytest.raises(ValueError, match=r'a\.txt, line 2 is not UTF-8 text \(byte 0xe9\).*iconv -f latin1'):
        read_text(path)
    path.write_bytes('one\n'.encode('utf-16-le'))
    with pytest.raises(ValueError, match=r'a\.txt is no text, or UTF-16 without a byte order mark: save it as UTF-8'):
        read_text(path)
    path.write_bytes(b'\xff\xfeo')
    with pytest.raises(ValueError, match=r'a\.txt, line 1 is not UTF-16-LE text'):
        read_text(path)
    path.write_text(' \n')
    with pytest.raises(ValueError, match=r'a\.txt is empty'):
        read_lines(path)


def test_json(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    path.write_text('{"a": [1, {"b": 2}]}', encoding='utf-16')
    assert read_json(path) == {'a': [1, {'b': 2}]}
    path.write_text('{"a": 1,\n "b" 2}')
    with pytest.raises(ValueError, match=r'a\.json, line 2 is not JSON'):
        read_json(path)
    path.write_text('{"a": 1, "b": {"c": 1, "c": 2}}')
    with pytest.raises(ValueError, match=r"a\.json has the key 'c' twice: keep one"):
        read_json(path)


def test_json_that_is_made_to_do_harm(tmp_path: Path) -> None:
    path = tmp_path / 'a.json'
    for text, message in [('[' * 100_000, 'is nested too deeply'), ('9' * 5000, 'is not JSON: Exceeds the limit')]:
        path.write_text(text)
        with pytest.raises(ValueError, match=rf'a\.json {message}'):
            read_json(path)
