"""Opening of files: regular ones, and nothing that leads to others."""

from pathlib import Path

import pytest

from mmsigma.io.video_container import UnreadableVideoError, error_of, open_container
from tests.io.odd_videos import write


@pytest.mark.parametrize(
    'text', ["ffconcat version 1.0\nfile 'other.mp4'\n", '#EXTM3U\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n']
)
def test_playlists_are_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / 'other.mp4', 3)
    (tmp_path / 'list.mp4').write_text(text)
    with pytest.raises(UnreadableVideoError, match=r'list\.mp4 cannot be read: (it is no video itself|Invalid data)'):
        open_container(tmp_path / 'list.mp4', 1)


def test_names_with_colons_are_no_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / 'a.mp4', 3).rename(tmp_path / 'clip:1.mp4')
    monkeypatch.chdir(tmp_path)
    container, stream = open_container(Path('clip:1.mp4'), 1)
    assert sum(1 for _ in container.decode(stream)) == 3
    container.close()


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / 'a.mp4').symlink_to('a.mp4')
    with pytest.raises(UnreadableVideoError, match=r'a\.mp4 cannot be read: Too many levels of symbolic links'):
        open_container(tmp_path / 'a.mp4', 1)


def test_errors_are_those_of_the_file() -> None:
    assert 'it is damaged' in str(error_of(Path('a.mp4'), MemoryError()))
    assert str(error_of(Path('a.mp4'), ValueError('first\nsecond'))) == 'a.mp4 cannot be read: first'
    known = UnreadableVideoError('b.mp4', 'known')
    assert error_of(Path('a.mp4'), known) is known
