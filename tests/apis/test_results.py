"""Results as files, as HTML and on the screen."""

import base64
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageShow

from mmsigma.apis.results import VideoResult, contact_sheet, data_uri, spread
from mmsigma.apis.video_segmenter import SegmentedFrames
from mmsigma.io.tables import read_csv

PICTURE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@dataclass(frozen=True)
class Both(VideoResult):
    name: str = '<dog>'

    @property
    def caption(self) -> str:
        return 'two & two'

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(ones=np.ones(3), numbers=np.arange(4).reshape(2, 2))

    def table(self) -> list[list[object]]:
        return [['frame', 'value'], [1, 0.123456]]

    def picture(self) -> np.ndarray:
        return PICTURE


class Bare(Both):
    def table(self) -> list[list[object]]:
        return []

    def picture(self) -> None:
        return None


def test_files(tmp_path: Path) -> None:
    paths = Both().save(tmp_path / 'new' / 'folder')
    assert [path.name for path in paths] == ['ones.npy', 'numbers.npy', 'table.csv', 'picture.png']
    np.testing.assert_array_equal(np.load(paths[1]), [[0, 1], [2, 3]])
    assert read_csv(paths[2])[1][0][1] == {'frame': '1', 'value': '0.123456'}
    np.testing.assert_array_equal(np.asarray(Image.open(paths[3])), PICTURE)
    assert [path.name for path in Bare().save(tmp_path)] == ['ones.npy', 'numbers.npy']


def test_html_contains_the_picture() -> None:
    page = Both()._repr_html_()
    (data,) = re.findall('src="data:image/png;base64,([^"]+)"', page)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), PICTURE)
    assert '&lt;dog&gt;: two &amp; two' in page and '<dog>' not in page
    assert '<img' not in Bare()._repr_html_()
    assert data_uri(b'abc', 'text/plain') == 'data:text/plain;base64,YWJj'


def test_opened_in_a_viewer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(ImageShow, 'show', lambda image, title: shown.append(np.asarray(image)) or True)
    Both().show()
    np.testing.assert_array_equal(shown, [PICTURE])
    assert capsys.readouterr().out == '<dog>: two & two\n'
    monkeypatch.setattr(ImageShow, 'show', lambda image, title: False)
    Bare().show()
    with pytest.raises(OSError, match=r'no program that shows pictures was found: write them with save\(folder\)'):
        Both().show()


def test_displayed_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, 'IPython', shell)
    monkeypatch.setitem(sys.modules, 'IPython.display', SimpleNamespace(display=shown.append))
    result = Both()
    result.show()
    assert shown == [result]


def test_contact_sheets() -> None:
    assert spread(3) == [0, 1, 2]
    assert spread(100) == [0, 14, 28, 42, 57, 71, 85, 99]
    frames = [np.full((6, 8, 3), number, np.uint8) for number in range(4)] + [np.full((12, 16, 3), 9, np.uint8)]
    sheet = contact_sheet(frames)
    assert sheet.shape == (24, 52, 3)
    assert [int(sheet[7, 6 + 12 * number, 0]) for number in range(4)] == [0, 1, 2, 3]
    assert sheet[17, 6, 0] == 9 and sheet[17, 18, 0] == 255
    assert contact_sheet([np.zeros((480, 640, 3), np.uint8)]).shape == (248, 328, 3)


def test_a_result_prints_in_one_line() -> None:
    result = SegmentedFrames('cat', [np.zeros((4, 4, 3), np.uint8)] * 2, [np.eye(4, dtype=np.uint8)] * 2, ['0', '1'], 5)
    assert repr(result) == 'SegmentedFrames(cat: 2 frames, objects [1])'
