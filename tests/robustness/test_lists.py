"""Lists as editors, spreadsheets and shells write them: right, or a ValueError that names file and line."""

import codecs
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from mmsigma.datasets.videos.video_list import read_video_list
from mmsigma.io.text import read_json
from tests.robustness.damage import DAMAGES

EXPECTED = [('videos/first clip.mp4', 0), ('videos/zweïter.mp4', 3)]
TEXT = 'videos/first clip.mp4 0\nvideos/zweïter.mp4 3\n'
RIGHT = {
    'plain': TEXT.encode(),
    'mark of UTF-8': codecs.BOM_UTF8 + TEXT.encode(),
    'UTF-16': TEXT.encode('utf-16'),
    'UTF-16, big-endian': codecs.BOM_UTF16_BE + TEXT.encode('utf-16-be'),
    'UTF-32': TEXT.encode('utf-32'),
    'Windows': TEXT.replace('\n', '\r\n').encode(),
    'old Mac': TEXT.replace('\n', '\r').encode(),
    'no end': TEXT.rstrip().encode(),
    'empty lines': TEXT.replace('\n', '\n\n  \n').encode(),
    'blanks around': TEXT.replace('\n', '  \t\n').encode(),
    'tabs': TEXT.replace('4 ', '4\t').encode(),
    'commas': TEXT.replace('4 ', '4, ').encode(),
    'semicolons': TEXT.replace('4 ', '4;').encode(),
    'quotes': b'"videos/first clip.mp4" 0\n"videos/zwe\xc3\xafter.mp4" 3\n',
    'table': b'path,label\nvideos/first clip.mp4,0\nvideos/zwe\xc3\xafter.mp4,3\n',
    'quoted table': b'\xef\xbb\xbf"label";"path";"note"\n0;"videos/first clip.mp4";"a ""b"""\n'
    b'3;"videos/zwe\xc3\xafter.mp4";\n',
    'a video twice': (TEXT + TEXT).encode(),
}
WRONG = {
    'empty': (b'', 'is empty'),
    'blank': (b' \n\n', 'is empty'),
    'zeros': (bytes(100), 'is no text'),
    'UTF-16 without mark': (TEXT.encode('utf-16-le'), '(is no text|is not UTF-8 text)'),
    'Latin-1': (TEXT.encode('latin1'), 'line 2 is not UTF-8 text'),
    'cut in a letter': (TEXT.encode()[:35], 'line 2 is not UTF-8 text'),
    'NUL': (TEXT.replace('zwe', 'zw\0e').encode(), 'is no text'),
    'overflow': (b'a.mp4 99999999999999999999\n', 'line 1: the label 9{20} is out of range'),
    'negative': (b'a.mp4 -7\n', 'line 1: the label -7 is out of range'),
    'fraction': (b'a.mp4 1\nb.mp4 1.5\n', 'line 2: .* is not'),
    'not a number': (b'a.mp4 nan\n', 'line 1: .* is not'),
    'other digits': ('a.mp4 ٣\n'.encode(), 'line 1: .* is not'),
    'two labels': (b'a.mp4 1\na.mp4 2\n', 'line 2: a.mp4 has the label 2, but 1 in line 1'),
    'two labels of one file': (b'a.mp4 1\n./a.mp4 2\n', 'line 2: ./a.mp4 has the label 2, but 1 in line 1'),
    'header alone': (b'path,label\n', 'has a header but no video'),
    'page': (b'<!DOCTYPE html>\n<html></html>\n', 'line 1: .* is not understood'),
}


@pytest.mark.parametrize('name', RIGHT)
def test_right(tmp_path: Path, name: str) -> None:
    (tmp_path / 'list.txt').write_bytes(RIGHT[name])
    assert list(dict.fromkeys(read_video_list(tmp_path / 'list.txt'))) == EXPECTED


@pytest.mark.parametrize('name', WRONG)
def test_wrong(tmp_path: Path, name: str) -> None:
    data, message = WRONG[name]
    (tmp_path / 'list.txt').write_bytes(data)
    with pytest.raises(ValueError, match=f'list.txt.*{message}'):
        read_video_list(tmp_path / 'list.txt')


@pytest.mark.parametrize('source', ['plain', 'table', 'quotes', 'UTF-16'])
@pytest.mark.parametrize('seed', range(3))
def test_damaged(tmp_path: Path, source: str, seed: int) -> None:
    """Letters may be others, which no check can tell; anything else is refused by name."""
    path = tmp_path / 'list.txt'
    lines = [f'videos/clip {number:03d}.mp4 {number % 7}' for number in range(60)]
    text = {'table': 'path,label\n' + '\n'.join(lines).replace('.mp4 ', '.mp4,')}.get(source, '\n'.join(lines))
    data = text.encode('utf-16' if source == 'UTF-16' else 'utf-8')
    for damage, apply in DAMAGES.items():
        rng = np.random.default_rng([seed, crc32(f'{source} {damage}'.encode())])
        path.write_bytes(apply(bytearray(data), rng))
        try:
            entries = read_video_list(path)
        except ValueError as error:
            assert str(path) in str(error), damage
            continue
        assert len(entries) <= 61 and all(-1 <= label < 2**31 and name for name, label in entries)


@pytest.mark.parametrize(
    'data', [b'{"a": 1', b'[' * 100_000, b'{"a": 1, "a": 2}', b'\xff\xfe{', b'{"a": ' + b'9' * 10_000 + b'}']
)
def test_json(tmp_path: Path, data: bytes) -> None:
    (tmp_path / 'a.json').write_bytes(data)
    with pytest.raises(ValueError, match=r'a\.json'):
        read_json(tmp_path / 'a.json')
